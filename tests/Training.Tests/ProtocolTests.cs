using System.Text;
using System.Text.Json;
using Hearth.Protocol;
using Hearth.Training.Protocol;
using Xunit;

namespace Hearth.Training.Tests;

public sealed class ProtocolTests
{
    [Fact]
    public void Every_event_is_one_line_that_reads_back_as_itself()
    {
        using var output = new MemoryStream();
        var sink = new JsonLinesSink(output);
        TrainerEvent[] events =
        [
            new StartingEvent("tokenising", 0.5),
            new StepEvent(3, 1.25, 1e-4, 0.5, 1000, 0.25, 12288, null, TraceHash.Empty.ToString()),
            new StepEvent(4, double.NaN, 1e-4, double.PositiveInfinity, 1000, 0.25, 12288, 7, TraceHash.Empty.ToString()),
            new EvalEvent(4, 1.5, 0.25),
            new SampleEvent(3, "a\nb", "line\r\nline \u00e9"),
            new FailedEvent(FailureCodes.BadInput, "x", 0),
        ];
        foreach (var e in events)
        {
            sink.Emit(e);
        }

        string[] lines = Encoding.UTF8.GetString(output.ToArray()).TrimEnd('\n').Split('\n');

        Assert.Equal(events, lines.Select(l => JsonSerializer.Deserialize<TrainerEvent>(l, Json.Wire)!));
    }

    [Fact]
    public void An_evaluations_terms_travel_by_name_and_a_line_without_them_reads_as_before()
    {
        using var output = new MemoryStream();
        new JsonLinesSink(output).Emit(new EvalEvent(4, 1.5, 0.25) { Terms = new Dictionary<string, double> { ["p.1"] = 0.75 } });
        string line = Encoding.UTF8.GetString(output.ToArray());

        Assert.Contains("\"terms\":{\"p.1\":0.75}", line, StringComparison.Ordinal);
        Assert.Equal(0.75, Assert.IsType<EvalEvent>(JsonSerializer.Deserialize<TrainerEvent>(line, Json.Wire)).Terms!["p.1"]);
        Assert.Equal(new EvalEvent(4, 1.5, 0.25) { At = default }, JsonSerializer.Deserialize<TrainerEvent>(line.Replace(",\"terms\":{\"p.1\":0.75}", "", StringComparison.Ordinal), Json.Wire)! with { At = default });
    }

    [Fact]
    public void The_end_of_standard_input_is_a_stop()
    {
        using var control = new TrainerControl();
        new CommandReader(new StringReader(""), control, new ListSink()).Read();

        Assert.True(control.StopRequested);
        Assert.Equal("standard input ended", control.StopReason);
    }

    [Fact]
    public void The_end_of_standard_input_after_the_run_is_no_error()
    {
        var control = new TrainerControl();
        control.Dispose();

        new CommandReader(new StringReader("{\"command\":\"stop\"}"), control, new ListSink()).Read();

        Assert.Equal("", control.StopReason);
    }

    [Fact]
    public void Commands_are_obeyed_and_unknown_ones_are_named()
    {
        using var control = new TrainerControl();
        var sink = new ListSink();
        string input = """
            {"command":"checkpoint"}
            {"command":"sample","prompt":"Hello","max_tokens":5,"temperature":0}
            {"command":"dance"}
            not json
            """;
        new CommandReader(new StringReader(input), control, sink).Read();

        Assert.True(control.TakeCheckpointRequest());
        Assert.False(control.TakeCheckpointRequest());
        Assert.Equal(new TrainerCommand("sample", "Hello", 5, 0), control.TakeSampleRequest());
        Assert.Null(control.TakeSampleRequest());
        Assert.Collection(
            sink.Of<LogEvent>(),
            e => Assert.Contains("command is 'dance'. Allowed: stop, checkpoint, sample", e.Text, StringComparison.Ordinal),
            e => Assert.Contains("no JSON", e.Text, StringComparison.Ordinal));
    }

    [Fact]
    public void A_reader_that_is_gone_does_not_break_the_trainer()
    {
        var sink = new JsonLinesSink(new BrokenStream());
        sink.Emit(new StartingEvent("x", 0));
    }

    [Theory]
    [InlineData(2.5, "done at step 3  loss 1.2500  validation 2.5000  trace ab  ")]
    [InlineData(null, "done at step 3  loss 1.2500  trace ab  ")]
    public void The_last_line_for_people_names_a_validation_only_where_there_was_one(double? validation, string expected)
    {
        using var output = new StringWriter();
        new HumanSink(output, TimeProvider.System).Emit(new DoneEvent(3, "ab", 1.25, validation));

        Assert.StartsWith(expected, output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Out_of_memory_is_told_by_libtorchs_texts_also_when_wrapped()
    {
        Assert.Equal(FailureCodes.OutOfMemory, Failures.Classify(new InvalidOperationException("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")).Code);
        Assert.Equal(ExitCodes.OutOfMemory, Failures.Classify(new AggregateException(new InvalidOperationException("CUDA out of memory. Tried"))).Exit);
        Assert.Equal((FailureCodes.BadInput, ExitCodes.BadInput), Failures.Classify(new BadInputException("x")));
        Assert.Equal((FailureCodes.Crashed, ExitCodes.Crashed), Failures.Classify(new InvalidOperationException("x")));
    }

    private sealed class BrokenStream : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("Broken pipe");
    }
}
