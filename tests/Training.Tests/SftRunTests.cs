using System.Text.Json;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Training.Chat;
using Hearth.Training.Checkpoints;
using TorchSharp;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>A model is pretrained on texts and tuned on conversations from its checkpoint.</summary>
public sealed class SftRunTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(TokenizerKinds.ByteBpe)]
    [InlineData(TokenizerKinds.SentencePiece)]
    [InlineData(TokenizerKinds.LengthMax)]
    public void A_tuned_run_begins_with_the_checkpoints_weights_and_tokenizer_and_resumes_exactly(string kind)
    {
        string start = Pretrained(kind);
        var spec = Tuned(start, kind);

        var straight = Run("straight", spec);
        var resumed = Run("resumed", spec, CheckpointFolder.PathOf(_folder.At("straight", "checkpoints"), 8));

        Assert.Equal(straight.Of<DoneEvent>().Single().Trace, resumed.Of<DoneEvent>().Single().Trace);
        string last = CheckpointFolder.PathOf(_folder.At("straight", "checkpoints"), TinyRun.Steps);
        Assert.Equal(CheckpointFolder.Tokenizer(start).Sha256, CheckpointFolder.Tokenizer(last).Sha256);
        Assert.True(straight.Of<EvalEvent>()[^1].Loss < straight.Of<EvalEvent>()[0].Loss);
        Assert.All(straight.Of<SampleEvent>(), s => Assert.Equal("Say cat", s.Prompt));
    }

    [Fact]
    public void The_first_loss_is_the_checkpoints_own_on_the_assistants_tokens_alone()
    {
        string start = Pretrained(TokenizerKinds.ByteBpe);
        var spec = Tuned(start, TokenizerKinds.ByteBpe);
        var sink = Run("first", spec with { Train = spec.Train with { Steps = 1, MicroBatch = 8 }, Optimizer = spec.Optimizer with { WarmupSteps = 0 } });

        using var scope = torch.NewDisposeScope();
        using var quiet = torch.no_grad();
        using var data = ShardData.Open(ChatSet.Job(_folder, "naive", spec with { Data = spec.Data with { DocMask = true } }), 300, new ListSink(), new TrainerControl());
        var trained = TrainedModel.Load(start, torch.CPU);
        var rows = data.Batch(0);
        var template = ChatTemplates.Tuned(trained.Tokenizer, spec.Sft);
        double sum = 0;
        int count = 0;

        // Every conversation alone, as it was written, one at a time.
        foreach (int[] ids in Conversations(rows.Ids, rows.Documents!, rows.Length))
        {
            bool[] said = [.. Mask(trained, template, ids)];
            var logits_TV = trained.Model.Logits(torch.tensor(ids).unsqueeze(0))[0];
            var chances_TV = torch.nn.functional.log_softmax(logits_TV, 1);
            for (int t = 1; t < ids.Length; t++)
            {
                (sum, count) = said[t] ? (sum - chances_TV[t - 1, ids[t]].item<float>(), count + 1) : (sum, count);
            }
        }

        Assert.InRange(count, 20, rows.Ids.Length / 2);
        Assert.Equal(sum / count, sink.Of<StepEvent>()[0].Loss, 1e-4);
    }

    [Fact]
    public void A_family_that_mixes_tokens_beyond_attention_has_a_row_per_conversation()
    {
        string start = SmallCheckpoint.Write(_folder.At("hybrid"), SmallCheckpoint.Model("hybrid"), SmallCheckpoint.Tokenizer(TokenizerKinds.ByteBpe));
        var spec = ChatSet.Tune(TinyRun.Spec(), start) with
        {
            Model = new ModelSpec { Family = "hybrid", Size = "nano", Overrides = new() { ["vocab_size"] = JsonSerializer.SerializeToElement(512) } },
        };

        var sink = Run("rows", spec with { Train = spec.Train with { Steps = 2 }, Optimizer = spec.Optimizer with { WarmupSteps = 0 } });

        Assert.Equal(2, sink.Of<StepEvent>().Count);
        using var data = ShardData.Open(ChatSet.Job(_folder, "look", spec), 512, new ListSink(), new TrainerControl());
        var rows = data.Batch(0);
        Assert.Null(rows.Documents);
        Assert.All(rows.Lengths!, length => Assert.InRange(length, 2, rows.Length));
    }

    [Fact]
    public void Wrong_starts_and_datasets_are_refused_in_words()
    {
        string start = Pretrained(TokenizerKinds.ByteBpe);
        var spec = Tuned(start, TokenizerKinds.ByteBpe);

        Assert.Contains("start_from is empty, and task is sft", Refusal(spec with { StartFrom = "" }), StringComparison.Ordinal);
        Assert.Contains("where no folder is", Refusal(spec with { StartFrom = _folder.At("nothing") }), StringComparison.Ordinal);
        Assert.Contains("Allowed: the same model.", Refusal(spec with { Model = spec.Model with { Overrides = new(spec.Model.Overrides) { ["d_ff"] = JsonSerializer.SerializeToElement(64) } } }), StringComparison.Ordinal);
        Assert.Contains("The tokenizer has no token <|im_start|>, which the chat template chatml writes.", Refusal(spec with { Sft = new SftSpec { Template = ChatTemplateNames.ChatMl } }), StringComparison.Ordinal);
        Assert.Contains("messages[0].text contains <eos>", Refusal(spec with { Sample = spec.Sample with { Prompt = "a <eos> b" } }), StringComparison.Ordinal);
        Assert.Contains("is a conversation, and task is pretrain", Refusal(spec with { Task = RunTasks.Pretrain }), StringComparison.Ordinal);
        Assert.Contains("is a text, and task is sft", Refusal(spec, text: true), StringComparison.Ordinal);
        Assert.Contains("has a token of the assistant within a row of 8", Refusal(spec with { Data = spec.Data with { SeqLen = 8 } }), StringComparison.Ordinal);
    }

    [Fact]
    public void A_pretrained_checkpoint_goes_on_with_another_text_and_its_own_tokenizer()
    {
        string start = Pretrained(TokenizerKinds.ByteBpe);
        File.WriteAllLines(_folder.At("other.jsonl"), Enumerable.Range(0, 30).Select(i => JsonSerializer.Serialize(new { text = $"Other words {i} stand here, as many as a row asks for." })));
        var spec = TinyRun.Spec() with { StartFrom = start };

        var sink = RunJob(ChatSet.Job(_folder, "on", spec) with { DatasetPath = _folder.At("other.jsonl") });

        Assert.IsType<DoneEvent>(sink.All[^1]);
        Assert.Equal(CheckpointFolder.Tokenizer(start).Sha256, CheckpointFolder.Tokenizer(CheckpointFolder.PathOf(_folder.At("on", "checkpoints"), TinyRun.Steps)).Sha256);
    }

    [Fact]
    public void Conversations_that_the_template_cannot_write_are_counted_and_named()
    {
        string start = Pretrained(TokenizerKinds.ByteBpe);
        var spec = Tuned(start, TokenizerKinds.ByteBpe);
        string[] good = File.ReadAllLines(ChatSet.Write(_folder.Path));
        const string Bad = """{"messages":[{"role":"user","content":"end <eos>"},{"role":"assistant","content":"no"}]}""";
        File.WriteAllLines(_folder.At("chat.jsonl"), [.. good, Bad]);

        var warned = Run("warned", spec).Of<LogEvent>().Select(l => l.Text);
        File.WriteAllLines(_folder.At("chat.jsonl"), [.. good, .. Enumerable.Repeat(Bad, 10)]);

        Assert.Contains(warned, w => w.StartsWith("1 of 61 conversations cannot be written and are left out: chat.jsonl:61: messages[0].text contains <eos>", StringComparison.Ordinal));
        Assert.Contains("10 of 70 conversations cannot be written with the chat template auto", Refusal(spec), StringComparison.Ordinal);
    }

    [Fact]
    public void An_exported_model_knows_how_it_was_tuned_and_can_be_started_from()
    {
        string start = Pretrained(TokenizerKinds.ByteBpe);
        Run("straight", Tuned(start, TokenizerKinds.ByteBpe));
        var tuned = TrainedModel.Load(CheckpointFolder.PathOf(_folder.At("straight", "checkpoints"), TinyRun.Steps), torch.CPU);
        PublishedFolder.Write(tuned, _folder.At("published"));

        var read = TrainedModel.Load(_folder.At("published"), torch.CPU);

        Assert.Equal(new SftSpec(), read.Tuning);
        Assert.Equal(["<eos>"], ChatTemplates.For(read).Structure);
        Assert.IsType<DoneEvent>(Run("again", Tuned(_folder.At("published"), TokenizerKinds.ByteBpe)).All[^1]);
    }

    private static IEnumerable<int[]> Conversations(int[] ids, int[] documents, int length)
    {
        for (int at = 0, end; at < ids.Length; at = end)
        {
            for (end = at + 1; end < ids.Length && end % length != 0 && documents[end] == documents[at]; end++)
            {
            }

            yield return ids[at..end];
        }
    }

    // What stands behind a header, to the end token; found in the text of the ids.
    private static IEnumerable<bool> Mask(TrainedModel trained, IChatTemplate template, int[] ids)
    {
        int[] header = trained.Tokenizer.Encode(template.AssistantHeader);
        bool speaking = false;
        for (int i = 0; i < ids.Length; i++)
        {
            yield return speaking;
            speaking = speaking ? ids[i] != trained.Tokenizer.EndToken : i + 1 >= header.Length && ids.AsSpan(i + 1 - header.Length, header.Length).SequenceEqual(header);
        }
    }

    private string Pretrained(string kind)
    {
        var sink = RunJob(TinyRun.Job(_folder, "pretrained", Sized(TinyRun.Spec(), kind)));
        Assert.IsType<DoneEvent>(sink.All[^1]);
        return CheckpointFolder.PathOf(_folder.At("pretrained", "checkpoints"), TinyRun.Steps);
    }

    private static RunSpec Tuned(string start, string kind) => ChatSet.Tune(Sized(TinyRun.Spec(), kind), start);

    private static RunSpec Sized(RunSpec spec, string kind) => spec with
    {
        Data = spec.Data with { Tokenizer = kind },
        Model = spec.Model with { Overrides = new(spec.Model.Overrides) { ["vocab_size"] = JsonSerializer.SerializeToElement(kind == TokenizerKinds.ByteBpe ? 300 : 400) } },
    };

    private ListSink Run(string work, RunSpec spec, string? resume = null)
    {
        var sink = RunJob(ChatSet.Job(_folder, work, spec, resume));
        Assert.True(sink.All[^1] is DoneEvent, string.Join("\n", sink.All));
        return sink;
    }

    private string Refusal(RunSpec spec, bool text = false)
    {
        var job = ChatSet.Job(_folder, "refused", spec);
        var sink = RunJob(text ? job with { DatasetPath = _folder.At("text") } : job);
        var failed = Assert.IsType<FailedEvent>(sink.All[^1]);
        Assert.Equal(FailureCodes.BadInput, failed.Code);
        return failed.Message;
    }

    private static ListSink RunJob(TrainerJob job)
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        new JobRunner(sink, control, TimeProvider.System).Run(job);
        return sink;
    }
}
