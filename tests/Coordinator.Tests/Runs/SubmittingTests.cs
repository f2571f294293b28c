using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Hearth.Api;
using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Runs;

[Collection(SharedPostgres.Name)]
public sealed class SubmittingTests(PostgresServer postgres) : IAsyncLifetime
{
    private CoordinatorProcess _service = null!;

    public async Task InitializeAsync()
    {
        _service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());
        await _service.AddDatasetAsync();
    }

    public async Task DisposeAsync() => await _service.DisposeAsync();

    [Fact]
    public async Task The_same_key_and_body_give_the_same_run_and_another_body_a_conflict()
    {
        using var first = await SubmitAsync(Pool.Spec(), "key-1");
        using var again = await SubmitAsync(Pool.Spec(), "key-1");
        using var other = await SubmitAsync(Pool.Spec("other"), "key-1");
        var twins = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => SubmitAsync(Pool.Spec("twin"), "key-2")));

        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.OK, HttpStatusCode.Conflict), (first.StatusCode, again.StatusCode, other.StatusCode));
        Assert.Equal((await RunAsync(first)).Id, (await RunAsync(again)).Id);
        Assert.Single((await Task.WhenAll(twins.Select(RunAsync))).Select(r => r.Id).Distinct());
        Assert.Single(twins, t => t.StatusCode == HttpStatusCode.Created);
        Assert.Equal(2, (await ListAsync("")).Total);
    }

    [Fact]
    public async Task Every_wrong_field_is_named_at_once_and_nothing_is_stored()
    {
        var spec = Pool.Spec("not a name");
        spec["train"]!["steps"] = 0;
        spec["optimizer"]!["lr"] = 99;
        spec["typo"] = 1;
        spec["model"]!["size"] = "2b";

        using var response = await SubmitAsync(spec, null);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        Assert.Equal(["model.size", "name", "optimizer.lr", "train.steps", "typo"], (await response.ErrorsAsync()).Select(e => e.Field).Order(StringComparer.Ordinal));
        Assert.Equal(0, (await ListAsync("")).Total);
    }

    [Fact]
    public async Task A_short_run_without_a_warm_up_is_stored_with_one_that_fits_and_a_named_one_that_is_too_long_is_refused()
    {
        var spec = Pool.Spec(steps: 40);
        spec.Remove("optimizer");
        var stored = await _service.DetailAsync((await _service.SubmitAsync(spec)).Id);

        Assert.Equal(4, stored.Spec.GetProperty("optimizer").GetProperty("warmup_steps").GetInt32());

        spec["optimizer"] = new JsonObject { ["warmup_steps"] = 100 };
        using var response = await SubmitAsync(spec, null);

        Assert.Equal(
            new FieldError("optimizer.warmup_steps", "100", "0 to 40", "A warm-up of 100 steps (optimizer.warmup_steps) is longer than the run's 40 (train.steps). Allowed: 0 to 40."),
            Assert.Single(await response.ErrorsAsync()));
    }

    [Fact]
    public async Task A_dataset_that_is_not_there_is_named_with_those_that_are()
    {
        var spec = Pool.Spec();
        spec["data"]!["dataset"] = "dosc";

        using var response = await SubmitAsync(spec, null);

        Assert.Equal(new FieldError("data.dataset", "dosc", "docs", "No dataset is called dosc. Allowed: docs."), Assert.Single(await response.ErrorsAsync()));
    }

    [Fact]
    public async Task A_run_that_no_device_could_hold_is_refused_once_there_are_devices()
    {
        var large = Pool.Spec("large");
        large["model"]!["size"] = "1b";
        var gone = Pool.Spec("gone");
        gone["run"]!["devices"] = "attic";
        using var early = await SubmitAsync(large, null);
        await using var worker = await FakeWorker.JoinAsync(_service, "studio", gigabytes: 2);

        using var late = await SubmitAsync(large, null);
        using var elsewhere = await SubmitAsync(gone, null);

        Assert.Equal(HttpStatusCode.Created, early.StatusCode);
        var error = Assert.Single(await late.ErrorsAsync());
        Assert.Equal(("model.size", "1b"), (error.Field, error.Value));
        Assert.StartsWith("Qovaryx 1B fits no device that it may use. studio/0: Needs ", error.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Equal("run.devices is attic, and the pool has no such device. Allowed: any, gpu, cpu, studio/0.", Assert.Single(await elsewhere.ErrorsAsync()).Message);
    }

    [Fact]
    public async Task Validating_tells_where_a_run_would_fit()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio", gigabytes: 2);

        using var response = await _service.PostAsync("/api/v1/runs/validate", new { spec = Pool.Spec() });
        var validation = (await response.Content.ReadFromJsonAsync<Validation>(Json.Wire))!;

        var fit = Assert.Single(validation.Fits);
        Assert.Equal(("studio/0", true, 16, 1, ""), (fit.Device, fit.Fits, fit.MicroBatch, fit.Accumulation, fit.Reason));
        Assert.Equal((158_592, 204_800), (validation.Cost!.Parameters, validation.Cost.Tokens));
        Assert.Equal("adamw", validation.Resolved!.Value.GetProperty("optimizer").GetProperty("name").GetString());
    }

    [Fact]
    public async Task Lists_come_in_pages_and_can_be_narrowed()
    {
        foreach (int i in Enumerable.Range(1, 5))
        {
            await _service.SubmitAsync(Pool.Spec($"run-{i}"));
        }

        await _service.ActAsync((await ListAsync("?q=run-3")).Items.Single(), "cancel");
        var first = await ListAsync("?limit=2");
        var second = await ListAsync($"?limit=2&cursor={first.Next}");
        var last = await ListAsync($"?limit=2&cursor={second.Next}");

        Assert.Equal(["run-5", "run-4", "run-3", "run-2", "run-1"], new[] { first, second, last }.SelectMany(p => p.Items).Select(r => r.Name));
        Assert.Equal((5, null), (last.Total, last.Next));
        Assert.Equal(["run-3"], (await ListAsync("?state=cancelled,failed")).Items.Select(r => r.Name));
        Assert.Equal(4, (await ListAsync("?state=queued&family=qovaryx")).Total);
        Assert.Equal(["run-2"], (await ListAsync("?q=r-2")).Items.Select(r => r.Name));
        Assert.Equal(5, (await ListAsync("?q=night")).Total);
        Assert.Equal(0, (await ListAsync("?q=%25")).Total);
        using var wrong = await _service.Http.GetAsync(new Uri("/api/v1/runs?state=sleeping&limit=0", UriKind.Relative));
        Assert.Equal(["state", "limit"], (await wrong.ErrorsAsync()).Select(e => e.Field));
    }

    [Fact]
    public async Task A_run_is_found_by_its_number_and_a_viewer_cannot_submit()
    {
        var run = await _service.SubmitAsync(Pool.Spec());
        using var made = await _service.PostAsync("/api/v1/tokens", new CreateToken("eye", "view", null));
        using var viewer = _service.Client((await made.Content.ReadFromJsonAsync<TokenView>(Json.Wire))!.Secret);

        var detail = await viewer.GetFromJsonAsync<RunDetail>($"/api/v1/runs/r-{run.Number}", Json.Wire);
        using var missing = await viewer.GetAsync(new Uri("/api/v1/runs/r-99", UriKind.Relative));
        using var refused = await viewer.PostAsJsonAsync("/api/v1/runs", new { spec = Pool.Spec() });
        using var cancel = await viewer.PostAsync(new Uri($"/api/v1/runs/{run.Id}/cancel", UriKind.Relative), null);

        Assert.Equal(run.Id, detail!.Summary.Id);
        Assert.Equal("No worker has joined the pool yet.", (await Eventually.GetAsync(() => _service.DetailAsync(run.Id), d => d.Summary.Reason is not null, "it says why it waits")).Summary.Reason);
        Assert.Equal((HttpStatusCode.NotFound, "No run is called r-99."), (missing.StatusCode, await missing.DetailAsync()));
        Assert.Equal((HttpStatusCode.Forbidden, HttpStatusCode.Forbidden), (refused.StatusCode, cancel.StatusCode));
    }

    private static async Task<RunSummary> RunAsync(HttpResponseMessage response) => (await response.Content.ReadFromJsonAsync<RunSummary>(Json.Wire))!;

    private async Task<Page<RunSummary>> ListAsync(string query) => (await _service.Http.GetFromJsonAsync<Page<RunSummary>>($"/api/v1/runs{query}", Json.Wire))!;

    private async Task<HttpResponseMessage> SubmitAsync(JsonObject spec, string? key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/runs") { Content = JsonContent.Create(new { spec }, options: Json.Wire) };
        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        return await _service.Http.SendAsync(request);
    }
}
