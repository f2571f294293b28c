using System.Text.Json;
using Hearth.Protocol;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests;

public sealed class StateTests
{
    [Fact]
    public void Stored_names_of_states_never_change()
    {
        Assert.Equal(
            "Queued Starting Running Preempting Pausing Paused Succeeded Failed Cancelled",
            string.Join(' ', Enum.GetNames<RunState>()));
        Assert.Equal("Assigned Starting Running Stopping Succeeded Failed Stopped Lost", string.Join(' ', Enum.GetNames<AttemptState>()));
        Assert.Equal("\"preempting\"", JsonSerializer.Serialize(RunState.Preempting, Json.Wire));
    }

    [Fact]
    public void Every_live_run_can_return_to_the_queue_or_end()
    {
        foreach (var state in Enum.GetValues<RunState>().Where(s => s.IsLive()))
        {
            Assert.True(RunStates.CanMove(state, RunState.Queued), $"{state} has no way back to the queue");
            Assert.True(RunStates.CanMove(state, RunState.Cancelled), $"{state} cannot be cancelled");
            Assert.True(RunStates.CanMove(state, RunState.Failed), $"{state} cannot fail");
        }
    }

    [Fact]
    public void Ended_runs_never_move()
    {
        foreach (var state in Enum.GetValues<RunState>().Where(s => s.IsTerminal()))
        {
            Assert.Empty(RunStates.MovesFrom(state));
        }
    }

    [Fact]
    public void Trainer_events_keep_their_names_on_the_wire()
    {
        TrainerEvent step = new StepEvent(7, 3.5, 1e-3, 0.9, 1000, 0.5, 4096, null, "00000000000000ff");

        string line = JsonSerializer.Serialize(step, Json.Wire);

        Assert.Contains("\"event\":\"step\"", line, StringComparison.Ordinal);
        Assert.Equal(step, JsonSerializer.Deserialize<TrainerEvent>(line, Json.Wire));
    }

    [Fact]
    public void A_loss_that_is_no_number_survives_the_wire()
    {
        TrainerEvent step = new StepEvent(7, double.NaN, 1e-3, double.PositiveInfinity, 1, 1, 1, null, "0");

        var back = (StepEvent)JsonSerializer.Deserialize<TrainerEvent>(JsonSerializer.Serialize(step, Json.Wire), Json.Wire)!;

        Assert.True(double.IsNaN(back.Loss));
        Assert.True(double.IsPositiveInfinity(back.GradNorm));
    }
}
