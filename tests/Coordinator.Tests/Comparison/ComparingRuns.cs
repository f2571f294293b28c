using System.Net;
using System.Net.Http.Json;
using Hearth.Protocol;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Comparison;

/// <summary>GET /api/v1/compare on a real coordinator and database.</summary>
[Collection(SharedPostgres.Name)]
public sealed class ComparingRuns(DataService data) : IClassFixture<DataService>
{
    private static readonly long Start = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - 100_000;

    [Fact]
    public async Task Runs_come_in_the_order_asked_for_with_their_curves_their_best_and_the_checkpoint_nearest_to_it()
    {
        using var first = await TrainAsync([3, 1, 2], "spm one");
        using var second = await TrainAsync([5, 4, 2], "spm two", watts: 360);

        var found = await GetAsync($"runs={second.RunId},{first.RunId}&axis=time");

        Assert.Equal([second.RunId, first.RunId], found.Runs.Select(r => r.Id));
        Assert.Equal((3, 2d), (found.Runs[0].Best!.Step, found.Runs[0].Best!.Value));
        Assert.Equal((2, 1d), (found.Runs[1].Best!.Step, found.Runs[1].Best!.Value));
        Assert.Equal((1, "before"), (found.Runs[1].Checkpoint!.Step, found.Runs[1].Checkpoint!.Where));
        Assert.Equal([3f, 1, 2], found.Runs[1].Curve.Mean);
        Assert.Equal([10d, 20, 30], found.Runs[1].Curve.At);
        Assert.Equal(40, found.Runs[1].Seconds);
        Assert.Equal(1.5, found.Runs[0].BitsPerByte);
        Assert.Contains("These runs have different tokenizers: their losses per token do not compare, their bits per byte do.", found.Notes);
    }

    [Fact]
    public async Task Over_tokens_and_energy_curves_lie_where_the_runs_say_and_a_run_without_watts_is_named()
    {
        using var told = await TrainAsync([3, 1, 2], "spm one", watts: 360);
        using var untold = await TrainAsync([3, 1, 2], "spm one");

        var tokens = await GetAsync($"runs={told.RunId},{untold.RunId}&axis=tokens");
        var energy = await GetAsync($"runs={told.RunId},{untold.RunId}&axis=energy");

        Assert.Equal([64d, 128, 192], tokens.Runs[0].Curve.At);
        Assert.Equal([1d, 2, 3], energy.Runs[0].Curve.At);
        Assert.Equal(4, energy.Runs[0].WattHours);
        Assert.Empty(energy.Runs[1].Curve.At);
        Assert.Null(energy.Runs[1].WattHours);
        Assert.Equal([$"The energy of r-{energy.Runs[1].Number} is unknown, since the device does not tell its power."], energy.Notes);
    }

    [Fact]
    public async Task Runs_that_have_reported_nothing_are_compared_too()
    {
        using var first = await data.PlaceAsync();
        using var second = await data.PlaceAsync();

        var found = await GetAsync($"runs={first.RunId},{second.RunId}");

        Assert.All(found.Runs, r => Assert.Equal((null, null, 0), (r.Best, r.Checkpoint, r.Curve.At.Count)));
        Assert.Empty(found.Differences);
    }

    [Fact]
    public async Task What_is_wrong_is_said_with_field_value_and_what_is_allowed()
    {
        using var first = await data.PlaceAsync();
        using var second = await data.PlaceAsync();
        string both = $"{first.RunId},{second.RunId}";
        (string Query, string Field, string Value)[] wrong =
        [
            ("", "runs", ""),
            ($"runs={first.RunId}", "runs", first.RunId.ToString()),
            ($"runs={first.RunId},{first.RunId}", "runs", $"{first.RunId},{first.RunId}"),
            ($"runs={both},r-999999", "runs", "r-999999"),
            ($"runs={both},s-999999", "runs", "s-999999"),
            ($"runs={both}&metric=accuracy", "metric", "accuracy"),
            ($"runs={both}&axis=epochs", "axis", "epochs"),
            ($"runs={both}&axis=1", "axis", "1"),
        ];
        foreach (var (query, field, value) in wrong)
        {
            using var response = await data.Service.Http.GetAsync(new Uri($"/api/v1/compare?{query}", UriKind.Relative));
            Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
            var error = Assert.Single(await response.ErrorsAsync());
            Assert.Equal((field, value), (error.Field, error.Value));
            Assert.NotEmpty(error.Allowed);
        }
    }

    // Three evaluations, 10 s apart, of an attempt that trains for 40 s; a checkpoint at step 1.
    private async Task<PlacedAttempt> TrainAsync(float[] losses, string tokenizer, float? watts = null)
    {
        var attempt = await data.PlaceAsync();
        await data.ExecuteAsync(
            $"update attempts set assigned_at = to_timestamp({Start - 5_000} / 1000.0), first_step_at = to_timestamp({Start} / 1000.0), ended_at = null where id = '{attempt.Lease.AttemptId}'");
        long[] steps = [1, 2, 3], times = [Start + 10_000, Start + 20_000, Start + 30_000];
        MetricChunk[] chunks =
        [
            new("validation_loss", steps, losses, times),
            new("validation_bits_per_byte", [3], [1.5f], [times[2]]),
            new("tokens", steps, [64, 128, 192], times),
            .. watts is { } w ? [new MetricChunk("power_watts", steps, [w, w, w], times)] : Array.Empty<MetricChunk>(),
        ];
        using var taken = await attempt.PostAsync("metrics", new MetricsRequest(attempt.Lease, 1, chunks, []));
        taken.EnsureSuccessStatusCode();
        await attempt.UploadAsync(("model.safetensors", "weights"), ("spm.model", tokenizer));
        using var kept = await attempt.PostAsync("checkpoints", attempt.Commit(1, ("model.safetensors", "weights"), ("spm.model", tokenizer)));
        kept.EnsureSuccessStatusCode();
        await data.ExecuteAsync($"update attempts set state = 'lost', ended_at = to_timestamp({Start + 40_000} / 1000.0) where id = '{attempt.Lease.AttemptId}'");
        return attempt;
    }

    private async Task<Api.Comparison> GetAsync(string query) => (await data.Service.Http.GetFromJsonAsync<Api.Comparison>($"/api/v1/compare?{query}", Json.Wire))!;
}
