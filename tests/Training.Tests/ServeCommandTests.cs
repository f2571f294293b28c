using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Hearth.Protocol;
using Hearth.Runs;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary><c>serve</c> as an agent starts it, on checkpoints of untrained models.</summary>
public sealed class ServeCommandTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("qovaryx")]
    [InlineData("moa")]
    [InlineData("positronic")]
    [InlineData("hybrid")]
    [InlineData("vuaf")]
    public void The_tokens_of_every_family_are_the_text_that_generate_prints(string family)
    {
        string checkpoint = Checkpoint(family);
        var printed = TrainerCommandLine.Run("generate", "--checkpoint", checkpoint, "--prompt", "the cat", "--max-tokens", "12", "--temperature", "0");
        using var serve = new ServeProcess(checkpoint);

        var events = serve.Ask(new GenerationRequest { Prompt = "the cat", MaxTokens = 12, Temperature = 0 });

        Assert.Equal(printed.Output.TrimEnd('\n'), "the cat" + Text(events));
        var done = Assert.IsType<GenerationDone>(events[^1]);
        Assert.Equal(events.Count - 1, done.Statistics.Tokens);
        Assert.InRange(done.Statistics.PromptTokens, 1, 7);
        Assert.Equal(Enumerable.Range(0, events.Count - 1), events.SkipLast(1).Cast<GenerationToken>().Select(t => t.Index));
    }

    [Fact]
    public void A_loaded_model_answers_one_request_after_the_other_and_refuses_a_wrong_one_alone()
    {
        using var serve = new ServeProcess(Checkpoint("qovaryx"));
        var ask = new GenerationRequest { Prompt = "the", MaxTokens = 8, Seed = 3 };

        var first = serve.Ask(ask);
        var wrong = serve.Ask(ask with { HaltThreshold = 0.5 });
        var second = serve.Ask(ask);

        var refused = Assert.IsType<GenerationFailed>(Assert.Single(wrong));
        Assert.Equal((FailureCodes.BadInput, "halt_threshold is set, but Qovaryx nano has no loop to leave early."), (refused.Code, refused.Message));
        Assert.Equal(Text(first), Text(second));
    }

    [Fact]
    public void A_looped_model_tells_its_loops_and_the_chance_to_stop_after_each()
    {
        using var serve = new ServeProcess(Checkpoint("vuaf"));

        var early = Tokens(serve.Ask(new GenerationRequest { Prompt = "the cat", MaxTokens = 4, HaltThreshold = 0 }));
        var late = Tokens(serve.Ask(new GenerationRequest { Prompt = "the cat", MaxTokens = 4, HaltThreshold = 0.999 }));
        var whole = serve.Ask(new GenerationRequest { Prompt = "the cat", MaxTokens = 4, HaltThreshold = 1 });

        Assert.All(early, t => Assert.Equal((1, 1), (t.Loops, t.Halting!.Count)));
        Assert.All(late, t => Assert.Equal((2, 1), (t.Loops, t.Halting!.Count)));
        Assert.All(early.Concat(late), t => Assert.InRange(t.Halting![0], 0, 0.999));
        Assert.All(Tokens(whole), t => Assert.Equal((2, null), (t.Loops, t.Halting)));
        Assert.Equal(2, ((GenerationDone)whole[^1]).Statistics.MeanLoops);
    }

    [Fact]
    public void Speculation_gives_the_greedy_text_and_tells_what_was_drafted()
    {
        using var serve = new ServeProcess(Checkpoint("positronic"));
        var ask = new GenerationRequest { Prompt = "the cat", MaxTokens = 24, Temperature = 0 };

        var greedy = serve.Ask(ask);
        var drafted = serve.Ask(ask with { Speculative = true });

        Assert.Equal(Text(greedy), Text(drafted));
        var statistics = Assert.IsType<GenerationDone>(drafted[^1]).Statistics;
        Assert.InRange(statistics.Passes!.Value, 1, 23);
        Assert.Equal(Tokens(drafted).Count(t => t.Drafted), statistics.DraftsKept);
        Assert.Contains(Tokens(drafted), t => t.Drafted || t.Refused is not null);
        Assert.All(Tokens(drafted), t => Assert.False(t.Drafted && t.Refused is not null));
    }

    [Fact]
    public void The_likeliest_tokens_come_with_each_token_in_order_of_their_chance()
    {
        using var serve = new ServeProcess(Checkpoint("qovaryx"));

        var tokens = Tokens(serve.Ask(new GenerationRequest { Prompt = "the cat", MaxTokens = 6, Temperature = 0, Chances = 5 }));

        Assert.All(tokens, t =>
        {
            Assert.Equal(5, t.Chances!.Count);
            Assert.Equal(t.Token, t.Chances[0].Token);
            Assert.Equal(t.Chances.Select(c => c.Probability).OrderDescending(), t.Chances.Select(c => c.Probability));
            Assert.InRange(t.Chances.Sum(c => c.Probability), 0, 1);
        });
    }

    [Fact]
    public void A_memory_is_kept_for_the_next_request_only_where_that_is_asked_for()
    {
        using var serve = new ServeProcess(Checkpoint("positronic"));
        var ask = new GenerationRequest { Prompt = "the cat sat on a mat", MaxTokens = 4, Temperature = 0, Chances = 1 };
        double Chance(GenerationRequest request) => Tokens(serve.Ask(request))[0].Chances![0].Probability;

        double fresh = Chance(ask with { KeepMemory = true }), kept = Chance(ask with { KeepMemory = true }), again = Chance(ask);

        Assert.NotEqual(fresh, kept);
        Assert.Equal(fresh, again);
    }

    [Fact]
    public void A_conversation_is_written_in_the_template_of_the_tokenizer_and_a_plain_answer_is_one_line()
    {
        using var serve = new ServeProcess(Checkpoint("qovaryx"));

        var events = serve.Ask(new GenerationRequest { Messages = [new ChatTurn("user", "the cat")], MaxTokens = 30, Temperature = 2, TopK = 0, Seed = 1, Template = ChatTemplateNames.Plain });

        Assert.DoesNotContain('\n', Text(events));
        Assert.IsType<GenerationDone>(events[^1]);
    }

    [Fact]
    public void A_cancelled_request_stops_and_the_next_one_is_answered()
    {
        using var serve = new ServeProcess(Checkpoint("qovaryx"));
        Guid first = Guid.NewGuid(), second = Guid.NewGuid();
        serve.Send(new ServeRequest(ServeRequest.Generate, first, new GenerationRequest { Prompt = "the", MaxTokens = 8192, Temperature = 0 }));
        serve.Next(first);

        serve.Send(new ServeRequest(ServeRequest.Cancel, first));
        serve.Send(new ServeRequest(ServeRequest.Generate, second, new GenerationRequest { Prompt = "the", MaxTokens = 2 }));

        Assert.IsType<GenerationStopped>(serve.Rest(first)[^1]);
        Assert.IsType<GenerationDone>(serve.Rest(second)[^1]);
    }

    [Fact]
    public void The_end_of_the_input_ends_it()
    {
        using var serve = new ServeProcess(Checkpoint("qovaryx"));
        var id = Guid.NewGuid();
        serve.Send(new ServeRequest(ServeRequest.Generate, id, new GenerationRequest { Prompt = "the", MaxTokens = 8192, Temperature = 0 }));
        serve.Next(id);

        Assert.Equal(ExitCodes.Done, serve.CloseInput());
    }

    [Fact]
    public void A_checkpoint_without_the_files_that_only_training_reads_is_enough()
    {
        string checkpoint = Checkpoint("qovaryx");
        File.Delete(Path.Combine(checkpoint, CheckpointFiles.Optimizer));
        File.Delete(Path.Combine(checkpoint, CheckpointFiles.State));
        using var serve = new ServeProcess(checkpoint);

        Assert.IsType<GenerationDone>(serve.Ask(new GenerationRequest { Prompt = "the", MaxTokens = 2 })[^1]);
    }

    private static string Text(IEnumerable<GenerationEvent> events) => string.Concat(Tokens(events).Select(t => t.Text));

    private static List<GenerationToken> Tokens(IEnumerable<GenerationEvent> events) => [.. events.OfType<GenerationToken>()];

    private string Checkpoint(string family) =>
        SmallCheckpoint.Write(_folder.At("checkpoints"), SmallCheckpoint.Model(family), SmallCheckpoint.Tokenizer(TokenizerKinds.ByteBpe));

    /// <summary>The real program, lines in and lines out.</summary>
    private sealed class ServeProcess : IDisposable
    {
        private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);
        private readonly BlockingCollection<ServeLine> _lines = [];
        private readonly Process _process;
        private readonly Thread _reader;

        public ServeProcess(string checkpoint)
        {
            var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "hearth-trainer.dll"), "serve", "--checkpoint", checkpoint, "--threads", "1"])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            };
            _process = Process.Start(start)!;
            _reader = new Thread(Read) { IsBackground = true };
            _reader.Start();
        }

        public void Send(ServeRequest request)
        {
            _process.StandardInput.WriteLine(JsonSerializer.Serialize(request, Json.Wire));
            _process.StandardInput.Flush();
        }

        public List<GenerationEvent> Ask(GenerationRequest request)
        {
            var id = Guid.NewGuid();
            Send(new ServeRequest(ServeRequest.Generate, id, request));
            return Rest(id);
        }

        /// <summary>The request's next event.</summary>
        public GenerationEvent Next(Guid id)
        {
            Assert.True(_lines.TryTake(out var line, Deadline), "no line within a minute");
            Assert.Equal(id, line.Id);
            return line.Event;
        }

        /// <summary>Its events up to the last.</summary>
        public List<GenerationEvent> Rest(Guid id)
        {
            var events = new List<GenerationEvent>();
            do
            {
                events.Add(Next(id));
            }
            while (!events[^1].IsLast);
            return events;
        }

        public int CloseInput()
        {
            _process.StandardInput.Close();
            Assert.True(_process.WaitForExit(Deadline), "it did not end within a minute");
            return _process.ExitCode;
        }

        public void Dispose()
        {
            if (!_process.HasExited)
            {
                _process.Kill();
            }

            _reader.Join();
            _process.Dispose();
        }

        private void Read()
        {
            while (_process.StandardOutput.ReadLine() is { } line)
            {
                _lines.Add(JsonSerializer.Deserialize<ServeLine>(line, Json.Wire)!);
            }

            _lines.CompleteAdding();
        }
    }
}
