using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using Hearth.Api;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Generations;

/// <summary>Requests to checkpoints over real HTTP and PostgreSQL, answered by a worker that speaks the protocol and computes nothing.</summary>
[Collection(SharedPostgres.Name)]
public sealed class AskingCheckpoints(PostgresServer postgres) : IAsyncLifetime
{
    private string _database = "";
    private CoordinatorProcess _service = null!;
    private FakeWorker _worker = null!;
    private Guid _checkpoint;

    public async Task InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        _service = await CoordinatorProcess.StartAsync(_database, settings: ("HEARTH_LEASE_SECONDS", "2"));
        await _service.AddDatasetAsync();
        _worker = await FakeWorker.JoinAsync(_service, "studio");
        var run = await _service.SubmitAsync(Pool.Spec());
        var attempt = await _worker.AttemptAsync();
        _checkpoint = await _worker.CheckpointAsync(attempt.Assignment.Lease, 100, "weights");
        _worker.End(attempt, AttemptState.Succeeded, 100);
        await _service.WaitAsync(run, RunState.Succeeded);
    }

    public async Task DisposeAsync()
    {
        await _worker.DisposeAsync();
        await _service.DisposeAsync();
    }

    [Fact]
    public async Task A_request_reaches_a_worker_and_its_tokens_reach_the_stream()
    {
        var view = await AskAsync();
        var asked = await TakenAsync(view);

        await SendAsync(view.Id, 1, new GenerationLoading("loading the model", 0), Token(0, "an"));
        await SendAsync(view.Id, 3, Token(1, " open"), Done(2));
        var events = await EventsAsync(view.Id);

        Assert.Equal(("studio/0", false, 0), (view.Device, view.BesideTraining, asked.DeviceIndex));
        Assert.Equal(("What is", 16, _checkpoint), (asked.Request.Prompt, asked.Request.MaxTokens, asked.CheckpointId));
        Assert.Equal(["model.safetensors"], asked.Files.Select(f => f.Name));
        Assert.Equal(["1 loading", "2 token", "3 token", "4 done"], events.Select(e => $"{e.EventId} {e.EventType}"));
        Assert.Contains("\"text\":\" open\"", events[2].Data, StringComparison.Ordinal);
        using var again = await _service.Http.GetAsync(new Uri($"/api/v1/generations/{view.Id}/events?last_event_id=4", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NoContent, again.StatusCode);
        var ended = await ViewAsync(view.Id);
        Assert.Equal((GenerationState.Done, 2), (ended.State, ended.Statistics!.Tokens));
        Assert.NotNull(ended.EndedAt);
    }

    [Fact]
    public async Task A_stream_resumes_after_its_last_event_and_on_another_coordinator()
    {
        await using var other = await CoordinatorProcess.StartAsync(_database, _service.AdminToken, ("HEARTH_LEASE_SECONDS", "2"));
        var view = await AskAsync();
        await TakenAsync(view);
        await SendAsync(view.Id, 1, Token(0, "an"), Token(1, " open"));

        var resumed = EventsAsync(view.Id, after: 1, service: other);
        await SendAsync(view.Id, 3, Done(2));

        Assert.Equal(["2", "3"], (await resumed).Where(e => e.EventType != "ping").Select(e => e.EventId));
    }

    [Fact]
    public async Task A_batch_that_comes_twice_counts_once_and_one_out_of_order_is_refused()
    {
        var view = await AskAsync();
        await TakenAsync(view);

        await SendAsync(view.Id, 1, Token(0, "an"));
        await SendAsync(view.Id, 1, Token(0, "an"));
        using var gap = await _worker.PostAsync($"/api/worker/generations/{view.Id}", new GenerationBatch(3, [Token(2, "x")]));
        await SendAsync(view.Id, 2, Done(1));
        await SendAsync(view.Id, 2, Done(1));
        using var late = await _worker.PostAsync($"/api/worker/generations/{view.Id}", new GenerationBatch(3, [Token(2, "x")]));

        Assert.Equal((HttpStatusCode.Conflict, HttpStatusCode.Conflict), (gap.StatusCode, late.StatusCode));
        Assert.Equal(["1 token", "2 done"], (await EventsAsync(view.Id)).Select(e => $"{e.EventId} {e.EventType}"));
    }

    [Fact]
    public async Task A_stopped_request_ends_at_once_and_its_worker_is_told()
    {
        var view = await AskAsync();
        await TakenAsync(view);
        await SendAsync(view.Id, 1, Token(0, "an"));

        using var stopped = await _service.Http.DeleteAsync(new Uri($"/api/v1/generations/{view.Id}", UriKind.Relative));
        using var late = await _worker.PostAsync($"/api/worker/generations/{view.Id}", new GenerationBatch(2, [Token(1, " x")]));

        Assert.Equal((HttpStatusCode.NoContent, HttpStatusCode.Conflict), (stopped.StatusCode, late.StatusCode));
        Assert.Equal(["token", "stopped"], (await EventsAsync(view.Id)).Select(e => e.EventType));
        Assert.Equal(GenerationState.Stopped, (await ViewAsync(view.Id)).State);
        await Eventually.TrueAsync(() => Task.FromResult(_worker.Generations.IsEmpty), "the worker was told to end it");
    }

    [Fact]
    public async Task A_worker_that_falls_silent_fails_its_requests_and_may_write_no_more()
    {
        var view = await AskAsync();
        await TakenAsync(view);
        await _worker.FallSilentAsync();

        var events = await EventsAsync(view.Id);
        using var late = await _worker.PostAsync($"/api/worker/generations/{view.Id}", new GenerationBatch(1, [Token(0, "an")]));

        Assert.Equal("failed", events[^1].EventType);
        Assert.Contains("fallen silent", events[^1].Data, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Conflict, late.StatusCode);
    }

    [Fact]
    public async Task A_worker_that_came_back_without_a_request_fails_it()
    {
        var view = await AskAsync();
        await TakenAsync(view);
        await Eventually.TrueAsync(async () => (await ViewAsync(view.Id)).State == GenerationState.Waiting && _worker.Generations.ContainsKey(view.Id), "taken");
        await SendAsync(view.Id, 1, Token(0, "an"));
        _worker.Generations.Clear();

        var events = await EventsAsync(view.Id);

        Assert.Contains("came back without it", events[^1].Data, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_worker_may_not_write()
    {
        await using var stranger = await FakeWorker.JoinAsync(_service, "stranger", gigabytes: 0.01);
        var view = await AskAsync();

        using var answer = await stranger.PostAsync($"/api/worker/generations/{view.Id}", new GenerationBatch(1, [Token(0, "an")]));

        Assert.Equal(HttpStatusCode.Conflict, answer.StatusCode);
    }

    [Fact]
    public async Task Wrong_requests_are_refused_in_words()
    {
        using var unknown = await _service.PostAsync("/api/v1/generations", Ask(Guid.NewGuid()));
        using var hot = await _service.PostAsync("/api/v1/generations", Ask(_checkpoint) with { Temperature = 11 });
        using var looped = await _service.PostAsync("/api/v1/generations", Ask(_checkpoint) with { HaltThreshold = 0.5 });
        using var mistyped = await _service.PostAsync("/api/v1/generations", new { checkpoint_id = _checkpoint, prompt = "a", temprature = 1 });
        using var gone = await _service.Http.GetAsync(new Uri($"/api/v1/generations/{Guid.NewGuid()}/events", UriKind.Relative));

        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.NotFound), (unknown.StatusCode, gone.StatusCode));
        Assert.Equal(("temperature", "0 to 10"), (await hot.ErrorsAsync()).Select(e => (e.Field, e.Allowed)).Single());
        Assert.Equal("halt_threshold", (await looped.ErrorsAsync()).Single().Field);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, mistyped.StatusCode);
        Assert.Equal("temprature", (await mistyped.ErrorsAsync()).Single().Field);
    }

    [Fact]
    public async Task A_request_that_no_worker_can_take_is_refused_with_the_reason()
    {
        var run = await _service.SubmitAsync(Pool.Spec("busy"));
        await _service.WaitAsync(run, RunState.Running);

        using var busy = await _service.PostAsync("/api/v1/generations", Ask(_checkpoint));
        _worker.HostFreeBytes = 4L << 30;
        var beside = await Eventually.GetAsync(TryAsync, v => v is not null, "the host's processor takes it");

        Assert.Equal(HttpStatusCode.Conflict, busy.StatusCode);
        Assert.Contains("no free device has that", await busy.DetailAsync(), StringComparison.Ordinal);
        Assert.Equal(("studio/cpu", true), (beside!.Device, beside.BesideTraining));

        async Task<GenerationView?> TryAsync()
        {
            using var answer = await _service.PostAsync("/api/v1/generations", Ask(_checkpoint));
            return answer.StatusCode == HttpStatusCode.Accepted ? await answer.Content.ReadFromJsonAsync<GenerationView>(Json.Wire) : null;
        }
    }

    [Fact]
    public async Task One_caller_may_have_so_many_requests_under_way()
    {
        for (int i = 0; i < 4; i++)
        {
            await AskAsync();
        }

        using var fifth = await _service.PostAsync("/api/v1/generations", Ask(_checkpoint));

        Assert.Equal(HttpStatusCode.TooManyRequests, fifth.StatusCode);
        Assert.Contains("4 requests under way", await fifth.DetailAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_checkpoints_that_can_be_asked_are_listed_with_what_they_can_do()
    {
        var choices = (await _service.Http.GetFromJsonAsync<CheckpointChoice[]>("/api/v1/checkpoints", Json.Wire))!;

        var choice = Assert.Single(choices);
        Assert.Equal((_checkpoint, 100, "a-run", "qovaryx", "nano", 1, false), (choice.Id, choice.Step, choice.RunName, choice.Family, choice.Size, choice.Loops, choice.Memory));
    }

    private static StartGeneration Ask(Guid checkpoint) => new() { CheckpointId = checkpoint, Prompt = "What is", MaxTokens = 16 };

    private static GenerationToken Token(int index, string text) => new() { Index = index, Token = index + 7, Text = text };

    private static GenerationDone Done(int tokens) => new(GenerationDone.End, new GenerationStatistics { PromptTokens = 2, Tokens = tokens, FirstTokenSeconds = 0.1, Seconds = 0.2, TokensPerSecond = 10 });

    private async Task<GenerationView> AskAsync()
    {
        using var answer = await _service.PostAsync("/api/v1/generations", Ask(_checkpoint));
        Assert.True(answer.StatusCode == HttpStatusCode.Accepted, await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<GenerationView>(Json.Wire))!;
    }

    private async Task<GenerationAssignment> TakenAsync(GenerationView view)
    {
        await Eventually.TrueAsync(() => Task.FromResult(_worker.Generations.ContainsKey(view.Id)), "the worker has the request");
        return _worker.Generations[view.Id];
    }

    private async Task SendAsync(Guid id, long first, params GenerationEvent[] events)
    {
        using var answer = await _worker.PostAsync($"/api/worker/generations/{id}", new GenerationBatch(first, events));
        Assert.True(answer.StatusCode == HttpStatusCode.NoContent, await answer.Content.ReadAsStringAsync());
        if (events[^1].IsLast)
        {
            _worker.Generations.TryRemove(id, out _);
        }
    }

    private async Task<GenerationView> ViewAsync(Guid id) => (await _service.Http.GetFromJsonAsync<GenerationView>($"/api/v1/generations/{id}", Json.Wire))!;

    /// <summary>The stream to its end, without pings.</summary>
    private async Task<List<SseItem<string>>> EventsAsync(Guid id, long after = 0, CoordinatorProcess? service = null)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/generations/{id}/events");
        request.Headers.Add("Last-Event-ID", after.ToString(CultureInfo.InvariantCulture));
        using var response = await (service ?? _service).Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
        response.EnsureSuccessStatusCode();
        await using var body = await response.Content.ReadAsStreamAsync(limit.Token);
        return await SseParser.Create(body).EnumerateAsync(limit.Token).Where(e => e.EventType != "ping").ToListAsync(limit.Token);
    }
}
