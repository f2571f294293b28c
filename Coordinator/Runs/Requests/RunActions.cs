using Hearth.Api;
using Hearth.Coordinator.Hosting;
using Hearth.Protocol;
using Hearth.Runs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Hearth.Coordinator.Runs.Requests;

/// <summary>POST /api/v1/runs/{id}/sample: text to go on from; what is left out comes from the spec.</summary>
public sealed record SampleRequest(string? Prompt, int? MaxTokens, double? Temperature);

/// <summary>What people ask of a run. Each is idempotent: asking for a state that it has, or is on the way to, changes nothing.</summary>
public sealed class RunActions(RunChanges changes)
{
    public Task<Results<Ok<RunAction>, ProblemHttpResult>> CancelAsync(RunRef run, string by, CancellationToken stop) => ChangeAsync(run, stop, async change =>
    {
        if (change.Run.State == RunState.Cancelled)
        {
            return null;
        }

        if (!RunStates.CanMove(change.Run.State, RunState.Cancelled))
        {
            return Refusal(change, "be cancelled");
        }

        await change.MoveAsync(RunState.Cancelled);
        await change.NoteAsync("cancelled", $"{by} cancelled it.");
        await change.StopAsync(AttemptCommandKind.Kill);
        return null;
    });

    public Task<Results<Ok<RunAction>, ProblemHttpResult>> PauseAsync(RunRef run, string by, CancellationToken stop) => ChangeAsync(run, stop, async change =>
    {
        if (change.Run.State is RunState.Paused or RunState.Pausing)
        {
            return null;
        }

        var to = change.Attempt is null ? RunState.Paused : RunState.Pausing;
        if (!RunStates.CanMove(change.Run.State, to))
        {
            return Refusal(change, "be paused");
        }

        await change.MoveAsync(to);
        if (to == RunState.Pausing)
        {
            await change.NoteAsync("pausing", $"{by} pauses it.");
            await change.StopAsync(AttemptCommandKind.Stop);
        }
        else
        {
            await change.NoteAsync("paused", $"{by} paused it before it was placed.");
        }

        return null;
    });

    public Task<Results<Ok<RunAction>, ProblemHttpResult>> ResumeAsync(RunRef run, string by, CancellationToken stop) => ChangeAsync(run, stop, async change =>
    {
        if (change.Run.State is RunState.Queued or RunState.Starting or RunState.Running or RunState.Preempting)
        {
            return null;
        }

        if (change.Run.State == RunState.Pausing)
        {
            return "It is still writing its last checkpoint; resume it once it has paused.";
        }

        if (change.Run.State != RunState.Paused)
        {
            return Refusal(change, "be resumed");
        }

        await change.MoveAsync(RunState.Queued);
        await change.NoteAsync("resumed", $"{by} resumed it.");
        return null;
    });

    public Task<Results<Ok<RunAction>, ProblemHttpResult>> CheckpointAsync(RunRef run, CancellationToken stop) => ChangeAsync(run, stop, async change =>
    {
        if (change.Run.State != RunState.Running)
        {
            return Refusal(change, "write a checkpoint");
        }

        await change.CommandAsync(AttemptCommandKind.Checkpoint);
        return null;
    });

    public Task<Results<Ok<RunAction>, ProblemHttpResult>> SampleAsync(RunRef run, SampleRequest request, CancellationToken stop) => ChangeAsync(run, stop, async change =>
    {
        if (change.Run.State != RunState.Running)
        {
            return Refusal(change, "write a sample");
        }

        await change.CommandAsync(AttemptCommandKind.Sample, request.Prompt, request.MaxTokens, request.Temperature);
        return null;
    });

    private static string Refusal(RunChange change, string what) => $"r-{change.Run.Number} is {change.Run.State.ToString().ToLowerInvariant()}; it cannot {what}.";

    // The step gives null, or why it cannot be done.
    private async Task<Results<Ok<RunAction>, ProblemHttpResult>> ChangeAsync(RunRef run, CancellationToken stop, Func<RunChange, Task<string?>> step)
    {
        await using var change = await changes.BeginAsync(run, stop);
        if (change is null)
        {
            return Problems.NotFound($"No run is called {run}.");
        }

        if (await step(change) is { } refusal)
        {
            return Problems.Conflict(refusal);
        }

        await change.CommitAsync();
        return TypedResults.Ok(new RunAction(change.Run.Id, change.Run.State));
    }
}
