using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Training.Checkpoints;
using Xunit;

namespace Hearth.Training.Tests;

public sealed class DocumentMaskRunTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static RunSpec Masked => TinyRun.Spec(s => s with { Data = s.Data with { SeqLen = 64, DocMask = true }, Train = s.Train with { BatchTokens = 256, MicroBatch = 2 } });

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_masked_run_trains_otherwise_than_a_plain_one_and_resumes_to_the_same_trace()
    {
        var straight = Train("straight", Masked);
        var plain = Train("plain", Masked with { Data = Masked.Data with { DocMask = false } });
        var resumed = Train("resumed", Masked, CheckpointFolder.PathOf(_folder.At("straight", "checkpoints"), 8));

        string trace = Assert.IsType<DoneEvent>(straight.All[^1]).Trace;
        Assert.NotEqual(trace, Assert.IsType<DoneEvent>(plain.All[^1]).Trace);
        Assert.Equal(trace, Assert.IsType<DoneEvent>(resumed.All[^1]).Trace);
        Assert.True(straight.Of<StepEvent>()[^1].Loss < straight.Of<StepEvent>()[0].Loss);
    }

    [Fact]
    public void Rows_say_which_document_each_token_is_of_only_when_asked()
    {
        using var masked = Open(Masked);
        using var plain = Open(Masked with { Data = Masked.Data with { DocMask = false } });

        var rows = masked.Validation(4);

        Assert.Null(plain.Batch(0).Documents);
        Assert.Equal(plain.Batch(3).Ids, masked.Batch(3).Ids);
        for (int i = 1; i < rows.Ids.Length; i++)
        {
            // A document begins behind an end token and nowhere else.
            bool begins = i % rows.Length != 0 && rows.Ids[i - 1] == masked.Tokenizer.EndToken;
            Assert.Equal(i % rows.Length == 0 ? 0 : rows.Documents![i - 1] + (begins ? 1 : 0), rows.Documents![i]);
        }

        Assert.Contains(1, rows.Documents!);
    }

    private ListSink Train(string work, RunSpec spec, string? resume = null)
    {
        using var control = new TrainerControl();
        var sink = new ListSink();
        new JobRunner(sink, control, TimeProvider.System).Run(TinyRun.Job(_folder, work, spec, resume));
        return sink;
    }

    private ShardData Open(RunSpec spec) => ShardData.Open(TinyRun.Job(_folder, "data", spec), 300, new ListSink(), new TrainerControl());
}
