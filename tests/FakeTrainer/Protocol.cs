using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hearth.Protocol;

namespace Hearth.Tests.FakeTrainer;

/// <summary>Events on standard output, one line each.</summary>
internal sealed class Lines
{
    public void Emit(TrainerEvent happened)
    {
        try
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(happened, Json.Wire));
            Console.Out.Flush();
        }
        catch (IOException)
        {
            // The agent is gone.
        }
    }
}

/// <summary>What came on standard input. The end of the input is a stop, except for a deaf one.</summary>
internal sealed class Asked
{
    private readonly ConcurrentQueue<string> _samples = new();
    private int _checkpoint;
    private volatile bool _stop;

    public Asked(Lines lines, bool deaf) =>
        new Thread(() =>
        {
            while (Console.In.ReadLine() is { } line)
            {
                var command = JsonSerializer.Deserialize<TrainerCommand>(line, Json.Wire)!;
                lines.Emit(new LogEvent(LogLevel.Info, "asked to " + command.Command));
                switch (command.Command)
                {
                    case "sample":
                        _samples.Enqueue(command.Prompt ?? "");
                        break;
                    case "checkpoint":
                        Interlocked.Exchange(ref _checkpoint, 1);
                        break;
                    default:
                        _stop |= !deaf;
                        break;
                }
            }

            _stop |= !deaf;
        }) { IsBackground = true }.Start();

    public bool ToStop => _stop;

    public bool ForCheckpoint() => Interlocked.Exchange(ref _checkpoint, 0) == 1;

    public string? ForSample() => _samples.TryDequeue(out string? prompt) ? prompt : null;
}

/// <summary>Folders of the real form, with small files.</summary>
internal static class Checkpoints
{
    public static string Trace(long step) => step.ToString("x16", CultureInfo.InvariantCulture);

    public static long StepOf(string folder) =>
        JsonSerializer.Deserialize<CheckpointManifest>(File.ReadAllBytes(Path.Combine(folder, "manifest.json")), Json.Wire)!.Step;

    public static CheckpointEvent Write(TrainerJob job, long step)
    {
        string folder = Path.Combine(job.WorkPath, "checkpoints", "step-" + step.ToString("D9", CultureInfo.InvariantCulture));
        Directory.CreateDirectory(folder);
        FileRef[] files = [Put(folder, "weights.safetensors", $"weights of step {step}"), Put(folder, "tokenizer.json", "always the same")];
        var manifest = new CheckpointManifest { Step = step, Tokens = step * 128, Trace = Trace(step), TokenizerSha256 = files[1].Sha256, Files = files };
        Put(folder, "manifest.json", JsonSerializer.Serialize(manifest, Json.Pretty));
        return new CheckpointEvent(step, folder, Trace(step), 0.01, 0.02);
    }

    public static PreparedEvent Prepare(TrainerJob job)
    {
        string folder = Path.Combine(job.CachePath, "prepared-k");
        Directory.CreateDirectory(folder);
        Put(folder, "train.qpk", "tokens");
        return new PreparedEvent(folder, "k");
    }

    private static FileRef Put(string folder, string name, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        File.WriteAllBytes(Path.Combine(folder, name), bytes);
        return new FileRef(name, Convert.ToHexStringLower(SHA256.HashData(bytes)), bytes.Length);
    }
}
