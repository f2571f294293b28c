using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tokenizers;
using Hearth.Training.Checkpoints;
using Xunit;

namespace Hearth.Training.Tests;

public sealed class TokenizerRunTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(TokenizerKinds.SentencePiece, TokenizerFile.SentencePieceName)]
    [InlineData(TokenizerKinds.LengthMax, TokenizerFile.JsonName)]
    public void A_run_trains_samples_and_resumes_exactly_with_each_kind(string kind, string file)
    {
        var straight = Run(kind, "straight", null);
        string middle = CheckpointFolder.PathOf(_folder.At("straight", "checkpoints"), 8);
        var resumed = Run(kind, "resumed", middle);

        Assert.Equal(straight.Of<DoneEvent>().Single().Trace, resumed.Of<DoneEvent>().Single().Trace);
        Assert.Equal(2, straight.Of<SampleEvent>().Count);
        Assert.Contains(file, CheckpointFolder.Verify(middle).Files.Select(f => f.Name));
        Assert.Equal(file, CheckpointFolder.Tokenizer(middle).FileName);
    }

    [Fact]
    public void A_checkpoint_with_another_tokenizer_than_it_was_trained_with_is_refused_with_both_hashes()
    {
        Run(TokenizerKinds.SentencePiece, "straight", null);
        string path = CheckpointFolder.PathOf(_folder.At("straight", "checkpoints"), 8);
        string trained = CheckpointFolder.Tokenizer(path).Sha256;
        var other = new SentencePieceTrainer(new SpmTraining()).Train(300);
        File.WriteAllBytes(Path.Combine(path, TokenizerFile.SentencePieceName), other.File);

        var e = Assert.Throws<CorruptCheckpointException>(() => CheckpointFolder.Tokenizer(path));

        Assert.Contains(trained, e.Message, StringComparison.Ordinal);
        Assert.Contains(other.Sha256, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(TokenizerKinds.SentencePiece, 299, "at least 300")]
    [InlineData(TokenizerKinds.LengthMax, 387, "at least 388")]
    public void A_vocabulary_too_small_for_the_kind_is_refused_before_anything_is_spent(string kind, int vocabulary, string allowed)
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        new JobRunner(sink, control, TimeProvider.System).Run(TinyRun.Job(_folder, "small", Spec(kind, vocabulary)));

        var failed = Assert.IsType<FailedEvent>(sink.All[^1]);
        Assert.Contains($"{vocabulary} entries do not hold them. Allowed: {allowed}.", failed.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder.At("cache")));
    }

    private ListSink Run(string kind, string work, string? resume)
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        int exit = new JobRunner(sink, control, TimeProvider.System).Run(TinyRun.Job(_folder, work, Spec(kind, 400), resume));
        Assert.True(exit == ExitCodes.Done, string.Join("\n", sink.All));
        return sink;
    }

    private static RunSpec Spec(string kind, int vocabulary) => TinyRun.Spec(spec => spec with
    {
        Data = spec.Data with { Tokenizer = kind },
        Model = spec.Model with { Overrides = new(spec.Model.Overrides) { ["vocab_size"] = System.Text.Json.JsonSerializer.SerializeToElement(vocabulary) } },
    });
}
