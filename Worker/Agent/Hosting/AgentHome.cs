using System.Diagnostics;
using System.Text.Json;
using Hearth.Protocol;

namespace Hearth.Agent;

/// <summary>What a joined worker keeps: the token is its only credential.</summary>
public sealed record WorkerIdentity(Uri Coordinator, Guid WorkerId, string Name, string Token);

/// <summary>A process by id and start time, since ids are used again.</summary>
public sealed record ProcessMark(int Id, DateTime StartedUtc);

/// <summary>
/// The agent's folder, held exclusively: <c>worker.json</c> (0600), <c>ended/</c> until acknowledged,
/// <c>attempts/</c> (work files, gone at the end of each attempt), <c>cache/</c>.
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
            File.WriteAllText(HolderPath, JsonSerializer.Serialize(Mark(Process.GetCurrentProcess()), Json.Wire));
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UsageException($"--data {path} cannot be used: {e.Message}");
        }
        catch (IOException e) when (File.Exists(Path.Combine(path, "agent.lock")))
        {
            var holder = Read<ProcessMark>(HolderPath) is { } mark ? $"process {mark.Id}" : "another process";
            throw new UsageException($"--data {path} is in use by an agent ({holder}); stop it or give this one a folder of its own. ({e.Message})");
        }

        foreach (var folder in new[] { AttemptsPath, EndedPath, CachePath, PreparedPath })
        {
            Directory.CreateDirectory(folder);
        }
    }

    public string Root { get; }
    public string CachePath => Path.Combine(Root, "cache", "blobs");
    public string PreparedPath => Path.Combine(Root, "cache", "prepared");
    private string AttemptsPath => Path.Combine(Root, "attempts");
    private string EndedPath => Path.Combine(Root, "ended");
    private string IdentityPath => Path.Combine(Root, "worker.json");
    private string HolderPath => Path.Combine(Root, "agent.pid");

    /// <summary>The work folder of an attempt under one epoch.</summary>
    public string AttemptPath(Lease lease) => Path.Combine(AttemptsPath, Name(lease));

    public WorkerIdentity? ReadIdentity() => Read<WorkerIdentity>(IdentityPath);

    public void WriteIdentity(WorkerIdentity identity) => WriteWhole(IdentityPath, identity, secret: true);

    public void WriteEnd(AttemptEnd end) => WriteWhole(Path.Combine(EndedPath, Name(end.Lease) + ".json"), end, secret: false);

    public void ForgetEnd(Lease lease) => File.Delete(Path.Combine(EndedPath, Name(lease) + ".json"));

    /// <summary>Ends that no coordinator has acknowledged yet, from this or an earlier start of the agent.</summary>
    public IReadOnlyList<AttemptEnd> ReadEnds() =>
        [.. Directory.EnumerateFiles(EndedPath, "*.json").Order(StringComparer.Ordinal).Select(Read<AttemptEnd>).OfType<AttemptEnd>()];

    /// <summary>Kills trainers that an earlier agent left running and removes their work folders; the cache stays.</summary>
    public void ClearLeftovers(AgentLog log)
    {
        foreach (var folder in Directory.EnumerateDirectories(AttemptsPath))
        {
            if (Read<ProcessMark>(Path.Combine(folder, TrainerProcess.MarkFile)) is { } mark && Find(mark) is { } process)
            {
                log.Warn($"killing trainer {mark.Id} that an earlier agent left");
                using (process)
                {
                    process.Kill(entireProcessTree: true);
                }
            }

            Remove(folder, log);
        }
    }

    /// <summary>Removes a work folder; what cannot be removed now is removed at the next start.</summary>
    public static void Remove(string folder, AgentLog log)
    {
        try
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            log.Warn($"could not remove {folder}: {e.Message}");
        }
    }

    public static ProcessMark Mark(Process process) => new(process.Id, process.StartTime.ToUniversalTime());

    /// <summary>Writes a JSON file so that a reader sees the old or the new content, never a part.</summary>
    public static void WriteWhole<T>(string path, T value, bool secret)
    {
        var temporary = path + ".new";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (secret && !OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        File.Delete(temporary);
        using (var file = new FileStream(temporary, options))
        {
            JsonSerializer.Serialize(file, value, Json.Pretty);
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }

    public void Dispose() => _lock.Dispose();

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

    private static Process? Find(ProcessMark mark)
    {
        try
        {
            var process = Process.GetProcessById(mark.Id);
            if (Math.Abs((process.StartTime.ToUniversalTime() - mark.StartedUtc).TotalSeconds) < 1)
            {
                return process;
            }

            process.Dispose();
            return null;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
