using System.Diagnostics;
using System.Text.Json;
using Hearth.Protocol;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>The real program, told to stop while it prepares a text that is one long line.</summary>
public sealed class PreparationStopProcessTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("stop command", "learning the tokenizer")]
    [InlineData("end of input", "learning the tokenizer")]
    [InlineData("SIGTERM", "learning the tokenizer")]
    [InlineData("SIGTERM", "tokenising")]
    public void A_stop_while_a_long_line_is_prepared_ends_it_at_once_and_leaves_nothing(string how, string what)
    {
        Directory.CreateDirectory(_folder.At("text"));
        var random = new Random(2);
        foreach (int document in Enumerable.Range(0, 4))
        {
            File.WriteAllText(_folder.At("text", $"{document}.txt"), string.Concat(Enumerable.Range(0, 1_000_000).Select(_ => (char)('a' + random.Next(26)))));
        }

        var spec = TinyRun.Spec(s => s with { Model = s.Model with { Overrides = new(s.Model.Overrides) { ["vocab_size"] = JsonSerializer.SerializeToElement(2000) } } });
        using var trainer = new TrainerProcess(TrainerProcess.WriteJob(TinyRun.Job(_folder, "work", spec)));

        // Within the step, which says so itself: twentieths are told.
        trainer.Next<StartingEvent>(e => e.What == what && e.Fraction > 0);
        var time = Stopwatch.StartNew();
        trainer.Stop(how);

        Assert.Equal(ExitCodes.Stopped, trainer.WaitForExit());
        // A second on a machine of one's own; finishing the preparation would take many.
        Assert.InRange(time.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(6));
        Assert.Equal(0, Assert.IsType<StoppedEvent>(trainer.Seen[^1]).Step);
        Assert.DoesNotContain(trainer.Seen, e => e is PreparedEvent or StartedEvent);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.At("cache")));
    }
}
