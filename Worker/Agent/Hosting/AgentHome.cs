using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Agent;

/// <summary>What a joined worker keeps: the token is its only credential.</summary>
public sealed record WorkerIdentity(Uri Coordinator, Guid WorkerId, string Name, string Token);

/// <summary>
/// The agent's folder, held exclusively: <c>worker.json</c> (0600), <c>ended/</c> until acknowledged,
/// <c>refused/</c> (what nobody takes, the newest of it), <c>attempts/</c> and <c>serving/</c> (work files, gone at the end of each attempt and loaded model), <c>cache/</c>.
/// </summary>
public sealed class AgentHome : IDisposable
{
    private readonly FileStream _lock;

    /// <exception cref="UsageException">The folder cannot be made, or another agent holds it.</exception>
    public AgentHome(string path)
    {
        Root = path;
        try
        {
            Directory.CreateDirectory(path);
            _lock = new FileStream(Path.Combine(path, "agent.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UsageException($"--home {path} cannot be used: {e.Message}");
        }
        catch (IOException e) when (File.Exists(Path.Combine(path, "agent.lock")))
        {
            var holder = Read<ProcessMark>(HolderPath) is { } mark ? $"process {mark.Id}" : "another process";
            throw new UsageException($"--home {path} is in use by an agent ({holder}); stop it or give this one a folder of its own. ({e.Message})");
        }

        NoteHolder();
        foreach (var folder in new[] { AttemptsPath, EndedPath, CachePath, PreparedPath, ServingPath })
        {
            Directory.CreateDirectory(folder);
        }
    }

    public string Root { get; }
    public string CachePath => Path.Combine(Root, "cache", "blobs");
    public string PreparedPath => Path.Combine(Root, "cache", "prepared");

    /// <summary>Batches that the coordinator refused for good.</summary>
    public string RefusedPath => Path.Combine(Root, "refused");

    /// <summary>Folders of models that are kept loaded, each with its process's mark.</summary>
    public string ServingPath => Path.Combine(Root, "serving");
    private string AttemptsPath => Path.Combine(Root, "attempts");
    private string EndedPath => Path.Combine(Root, "ended");
    private string IdentityPath => Path.Combine(Root, "worker.json");
    private string HolderPath => Path.Combine(Root, "agent.pid");

    /// <summary>The work folder of an attempt under one epoch.</summary>
    public string AttemptPath(Lease lease) => Path.Combine(AttemptsPath, Name(lease));

    public WorkerIdentity? ReadIdentity() => Read<WorkerIdentity>(IdentityPath);

    public void WriteIdentity(WorkerIdentity identity) => WriteWhole(IdentityPath, identity, secret: true);

    public void WriteEnd(AttemptEnd end) => WriteWhole(EndPath(end.Lease), end, secret: false);

    /// <summary>
    /// As <see cref="WriteEnd"/>, where it is no more than a help that the disk may refuse: the coordinator finds out by itself what is not told, for the attempt is
    /// missing from the next agent's first report.
    /// </summary>
    public void NoteEnd(AttemptEnd end, AgentLog log)
    {
        try
        {
            WriteEnd(end);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            log.Warn($"the end of {end.Lease.AttemptId:N} could not be noted on disk: {e.Message}");
        }
    }

    public void ForgetEnd(Lease lease) => File.Delete(EndPath(lease));

    /// <summary>Attempts whose folders hold points or log lines that no coordinator has acknowledged.</summary>
    public IReadOnlyList<Lease> Unsent() =>
        [.. Directory.EnumerateDirectories(AttemptsPath).Order(StringComparer.Ordinal).Where(f => Spool.IsLeft(SpoolPath(f))).Select(f => LeaseOf(Path.GetFileName(f))).OfType<Lease>()];

    /// <summary>Where an attempt's unsent batches lie, in its work folder.</summary>
    public static string SpoolPath(string work) => Path.Combine(work, "spool");

    /// <summary>Notes that a prepared dataset is in use, so that the cache keeps it. A path outside the cache is left alone.</summary>
    public void Touch(string prepared)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(prepared)) != Path.GetFullPath(PreparedPath) || !Directory.Exists(prepared))
        {
            return;
        }

        try
        {
            Directory.SetLastWriteTimeUtc(prepared, DateTime.UtcNow);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It goes sooner than it should; no reason to end who reads it.
        }
    }

    /// <summary>Ends that no coordinator has acknowledged yet, from this or an earlier start of the agent.</summary>
    public IReadOnlyList<AttemptEnd> ReadEnds() =>
        [.. Directory.EnumerateFiles(EndedPath, "*.json").Order(StringComparer.Ordinal).Select(Read<AttemptEnd>).OfType<AttemptEnd>()];

    /// <summary>
    /// Kills trainers that an earlier agent left running, notes their attempts as lost, and removes their work folders; the cache
    /// stays, and so does what was not sent yet (<see cref="Unsent"/>). So a run moves on as soon as the agent is back, not when its lease is over.
    /// </summary>
    public void ClearLeftovers(AgentLog log)
    {
        foreach (var folder in Directory.EnumerateDirectories(AttemptsPath).Concat(Directory.EnumerateDirectories(ServingPath)))
        {
            if (Read<ProcessMark>(Path.Combine(folder, TrainerProcess.MarkFile)) is { } mark && ProcessGroup.Find(mark) is { } process)
            {
                log.Warn($"killing trainer {mark.Id} that an earlier agent left");
                using (process)
                {
                    ProcessGroup.Kill(process);
                    process.WaitForExit(TimeSpan.FromSeconds(5));
                }
            }

            // First what takes room: on a full disk there may be none for the note.
            long step = NewestStep(folder);
            Remove(folder, log, keepSpool: true);
            if (LeaseOf(Path.GetFileName(folder)) is { } lease && !File.Exists(EndPath(lease)))
            {
                NoteEnd(new AttemptEnd(lease, AttemptState.Lost, step, null, null, "the agent was restarted"), log);
            }
        }
    }

    /// <summary>Removes a work folder; what cannot be removed now is removed at the next start.</summary>
    /// <param name="folder">Of an attempt or a loaded model.</param>
    /// <param name="log">Where a failure is told.</param>
    /// <param name="keepSpool">Unsent batches in it stay.</param>
    public static void Remove(string folder, AgentLog log, bool keepSpool = false)
    {
        try
        {
            if (keepSpool && Spool.IsLeft(SpoolPath(folder)))
            {
                foreach (string entry in Directory.EnumerateFileSystemEntries(folder).Where(e => e != SpoolPath(folder)))
                {
                    RemoveEntry(entry);
                }
            }
            else if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            log.Warn($"could not remove {folder}: {e.Message}");
        }
    }

    /// <summary>Writes a JSON file so that a reader sees the old or the new content, never a part.</summary>
    /// <exception cref="IOException">The disk does not take it; the old content stays.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder does not.</exception>
    public static void WriteWhole<T>(string path, T value, bool secret) =>
        WholeFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(value, Json.Pretty), secret, durable: true);

    public void Dispose() => _lock.Dispose();

    // For the message to a second agent alone; a full disk is no reason not to start.
    private void NoteHolder()
    {
        try
        {
            File.WriteAllText(HolderPath, JsonSerializer.Serialize(ProcessGroup.Mark(Process.GetCurrentProcess()), Json.Wire));
        }
        catch (IOException)
        {
            File.Delete(HolderPath);
        }
    }

    /// <summary>Removes a file, or a folder with all that is in it.</summary>
    internal static void RemoveEntry(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
        else
        {
            File.Delete(path);
        }
    }

    private string EndPath(Lease lease) => Path.Combine(EndedPath, Name(lease) + ".json");

    private static string Name(Lease lease) => $"{lease.AttemptId:N}-{lease.Epoch}";

    private static T? Read<T>(string path)
        where T : class
    {
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize<T>(File.ReadAllBytes(path), Json.Wire) : null;
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            return null;
        }
    }

    private static Lease? LeaseOf(string name) =>
        name.Split('-') is [var id, var epoch] && Guid.TryParseExact(id, "N", out var attempt) && long.TryParse(epoch, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? new Lease(attempt, number)
            : null;

    /// <summary>The last step that is known to have been reached: that of the newest complete checkpoint.</summary>
    private static long NewestStep(string folder)
    {
        string checkpoints = Path.Combine(folder, "checkpoints");
        return Directory.Exists(checkpoints)
            ? Directory.EnumerateDirectories(checkpoints, "step-*")
                .Select(d => long.TryParse(Path.GetFileName(d)["step-".Length..], NumberStyles.None, CultureInfo.InvariantCulture, out long step) ? step : 0)
                .DefaultIfEmpty(0)
                .Max()
            : 0;
    }
}
