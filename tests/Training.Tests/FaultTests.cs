using System.Security.Cryptography;
using System.Text.Json;
using Hearth.Protocol;
using Hearth.Training.Checkpoints;
using Hearth.Training.Tokenizers;
using Xunit;

namespace Hearth.Training.Tests;

public sealed class FaultTests(StraightRun straight) : IClassFixture<StraightRun>
{
    [Fact]
    public void A_disk_that_is_full_for_one_checkpoint_costs_that_checkpoint_and_nothing_else()
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        var runner = new JobRunner(sink, control, TimeProvider.System)
        {
            Open = name => name.Contains("000000008", StringComparison.Ordinal) ? new SmallDisk(File.Create(name), () => 1000, _ => { }) : File.Create(name),
        };

        int exit = runner.Run(TinyRun.Job(straight.Folder, "full-once"));

        Assert.Equal(ExitCodes.Done, exit);
        var failed = Assert.Single(sink.Of<CheckpointFailedEvent>());
        Assert.Equal(8, failed.Step);
        Assert.Contains("No space left", failed.Reason, StringComparison.Ordinal);
        Assert.Equal([4L, 12], sink.Of<CheckpointEvent>().Select(e => e.Step));
        Assert.Equal(2, Directory.GetDirectories(straight.Folder.At("full-once", "checkpoints")).Length);
        Assert.Equal(straight.Trace, sink.Of<DoneEvent>()[0].Trace);
    }

    [Fact]
    public void A_disk_that_stays_full_is_no_success()
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        var runner = new JobRunner(sink, control, TimeProvider.System) { Open = name => new SmallDisk(File.Create(name), () => 0, _ => { }) };

        int exit = runner.Run(TinyRun.Job(straight.Folder, "full"));

        Assert.Equal(ExitCodes.Crashed, exit);
        Assert.Equal(TinyRun.Steps, sink.Of<StepEvent>().Count);
        Assert.IsType<FailedEvent>(sink.All[^1]);
        Assert.Empty(Directory.GetDirectories(straight.Folder.At("full", "checkpoints")));
    }

    [Fact]
    public void A_real_file_size_limit_is_survived_by_the_real_program()
    {
        var job = TinyRun.Job(straight.Folder, "limited");
        using var trainer = new TrainerProcess(TrainerProcess.WriteJob(job), "export DOTNET_EnableWriteXorExecute=0; trap '' XFSZ; ulimit -f 20");

        var failed = trainer.Next<CheckpointFailedEvent>();
        trainer.WaitForExit();

        Assert.Equal(4, failed.Step);
        Assert.Equal(TinyRun.Steps, trainer.Seen.OfType<StepEvent>().Count());
        Assert.Empty(Directory.GetDirectories(straight.Folder.At("limited", "checkpoints")));
    }

    [Fact]
    public void A_corrupt_checkpoint_is_refused_by_the_files_name()
    {
        string copy = Copy("corrupt");
        string weights = Path.Combine(copy, CheckpointFolder.WeightsName);
        byte[] bytes = File.ReadAllBytes(weights);
        bytes[^3] ^= 0x10;
        File.WriteAllBytes(weights, bytes);

        var sink = straight.Run("corrupt-run", copy, new TrainerControl());

        var failed = Assert.IsType<FailedEvent>(sink.All[^1]);
        Assert.Equal(FailureCodes.CorruptCheckpoint, failed.Code);
        Assert.Contains(weights, failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Another_datasets_tokenizer_is_refused_with_both_hashes()
    {
        string copy = Copy("other-tokenizer");
        string tokenizer = Path.Combine(copy, TokenizerFile.JsonName);
        string before = Hash(tokenizer);
        File.AppendAllText(tokenizer, "\n");
        Seal(copy);

        var failed = Assert.IsType<FailedEvent>(straight.Run("other-tokenizer-run", copy, new TrainerControl()).All[^1]);

        Assert.Equal(FailureCodes.BadInput, failed.Code);
        Assert.Contains(before, failed.Message, StringComparison.Ordinal);
        Assert.Contains(Hash(tokenizer), failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_loss_that_is_not_finite_rolls_back_once_and_then_fails_with_the_steps_numbers()
    {
        string copy = Copy("poisoned");
        string weights = Path.Combine(copy, CheckpointFolder.WeightsName);
        byte[] bytes = File.ReadAllBytes(weights);
        int header = 8 + (int)BitConverter.ToInt64(bytes);
        for (int i = header; i + 4 <= bytes.Length; i += 4)
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(i), float.NaN);
        }

        File.WriteAllBytes(weights, bytes);
        Seal(copy);

        var sink = straight.Run("poisoned-run", copy, new TrainerControl());

        Assert.Single(sink.Of<LogEvent>(), e => e.Text.Contains("Rolling back to the checkpoint of step 8, once", StringComparison.Ordinal));
        var failed = Assert.IsType<FailedEvent>(sink.All[^1]);
        Assert.Equal(FailureCodes.NotFinite, failed.Code);
        Assert.Contains("Step 9 is not finite: loss NaN", failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_resume_with_other_threads_or_micro_batch_says_so()
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        var job = TinyRun.Job(straight.Folder, "threads", resume: straight.Checkpoint(8)) with { Threads = 2, MicroBatch = 8 };

        new JobRunner(sink, control, TimeProvider.System).Run(job);

        Assert.Contains(sink.Of<LogEvent>(), e => e.Level == LogLevel.Warning && e.Text.Contains("threads was 1 and is 2", StringComparison.Ordinal));
        Assert.Contains(sink.Of<LogEvent>(), e => e.Text.Contains("micro_batch was 4 and is 8", StringComparison.Ordinal));
        Assert.IsType<DoneEvent>(sink.All[^1]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    public void The_micro_batch_changes_neither_the_data_order_nor_the_global_gradient(int rows)
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        new JobRunner(sink, control, TimeProvider.System).Run(TinyRun.Job(straight.Folder, $"micro-{rows}") with { MicroBatch = rows });

        var expected = straight.Sink.Of<StepEvent>();
        var actual = sink.Of<StepEvent>();
        Assert.Equal(expected.Count, actual.Count);
        for (int i = 0; i < expected.Count; i++)
        {
            Assert.Equal(expected[i].Loss, actual[i].Loss, 1e-3);
        }

        // The first step has seen no rounding of an update yet.
        Assert.Equal(expected[0].GradNorm, actual[0].GradNorm, 1e-4);
    }

    private static string Hash(string path) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));

    // Makes the manifest agree with changed files, as if they had been written so.
    private static void Seal(string path)
    {
        var manifest = CheckpointFolder.ReadJson<CheckpointManifest>(path, CheckpointFolder.ManifestName);
        var files = manifest.Files.Select(f => new FileRef(f.Name, Hash(Path.Combine(path, f.Name)), new FileInfo(Path.Combine(path, f.Name)).Length)).ToList();
        var sealedManifest = manifest with { Files = files, TokenizerSha256 = files.Single(f => f.Name == TokenizerFile.JsonName).Sha256 };
        File.WriteAllText(Path.Combine(path, CheckpointFolder.ManifestName), JsonSerializer.Serialize(sealedManifest, Json.Pretty));
    }

    private string Copy(string name)
    {
        string copy = straight.Folder.At(name);
        Directory.CreateDirectory(copy);
        foreach (string file in Directory.GetFiles(straight.Checkpoint(8)))
        {
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }

        return copy;
    }
}
