using System.Net;
using System.Net.Http.Json;
using Hearth.Api;
using Hearth.Coordinator.Workers;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Workers;

/// <summary>One agent speaks for a worker, and its reports count in the order in which it made them.</summary>
[Collection(SharedPostgres.Name)]
public sealed class SessionsOfAgents(PostgresServer postgres) : IAsyncLifetime
{
    private CoordinatorProcess _service = null!;

    public async Task InitializeAsync()
    {
        _service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());
        await _service.AddDatasetAsync();
    }

    public async Task DisposeAsync() => await _service.DisposeAsync();

    private static readonly Guid One = Guid.NewGuid(), Other = Guid.NewGuid();

    public static TheoryData<Guid?, long, AgentSession?, bool, ReportStanding> Cases => new()
    {
        { null, 0, null, false, ReportStanding.Current },
        { One, 9, null, false, ReportStanding.Current },
        { null, 0, new AgentSession(One, 1, "a"), false, ReportStanding.Begins },
        { One, 9, new AgentSession(Other, 1, "a"), false, ReportStanding.Begins },

        // Its first report never came.
        { One, 9, new AgentSession(Other, 2, "a"), false, ReportStanding.Begins },
        { One, 9, new AgentSession(One, 10, "a"), false, ReportStanding.Current },
        { One, 9, new AgentSession(One, 12, "a"), false, ReportStanding.Current },
        { One, 9, new AgentSession(One, 9, "a"), false, ReportStanding.Overtaken },
        { One, 9, new AgentSession(One, 1, "a"), false, ReportStanding.Overtaken },
        { Other, 1, new AgentSession(One, 10, "a"), true, ReportStanding.Ended },
        { Other, 1, new AgentSession(One, 1, "a"), true, ReportStanding.Ended },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_session_that_began_last_speaks_and_its_newest_report_counts(Guid? current, long last, AgentSession? reported, bool ended, ReportStanding expected) =>
        Assert.Equal(expected, AgentSessions.Judge(current, last, reported, ended));

    [Fact]
    public async Task A_report_that_was_overtaken_ends_no_attempt_that_it_does_not_know()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "overtaken", heartbeats: false);
        var run = await _service.SubmitAsync(Pool.Spec());
        var session = Guid.NewGuid();
        using var first = await SyncAsync(worker, new AgentSession(session, 1, "attic"));
        var lease = (await AssignmentAsync(worker, session)).Lease;
        var report = new AttemptReport(lease, AttemptState.Running, null, null, 7);
        using var newer = await SyncAsync(worker, new AgentSession(session, 1000, "attic"), report);

        using var older = await SyncAsync(worker, new AgentSession(session, 999, "attic"));
        using var next = await SyncAsync(worker, new AgentSession(session, 1001, "attic"), report);

        Assert.Equal(HttpStatusCode.PreconditionFailed, older.StatusCode);
        Assert.Empty((await next.Content.ReadFromJsonAsync<SyncResponse>(Json.Wire))!.Revoked);
        Assert.Equal(RunState.Running, (await _service.DetailAsync(run.Id)).Summary.State);
    }

    [Fact]
    public async Task A_second_agent_with_the_same_identity_takes_over_and_the_first_is_told_to_stop()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "copied", heartbeats: false);
        var (old, later) = (new AgentSession(Guid.NewGuid(), 1, "attic"), new AgentSession(Guid.NewGuid(), 1, "cellar"));
        using var first = await SyncAsync(worker, old);
        using var second = await SyncAsync(worker, later);

        using var refused = await SyncAsync(worker, old with { Report = 2 });
        using var goesOn = await SyncAsync(worker, later with { Report = 2 });

        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.Conflict, HttpStatusCode.OK], [first.StatusCode, second.StatusCode, refused.StatusCode, goesOn.StatusCode]);
        Assert.Contains("Another agent works as copied now, on cellar.", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        var view = await ViewAsync(worker);
        Assert.Equal("A second agent with this worker's identity, on attic, was told to stop: the one on cellar came later. Was its home copied?", view.Note);
        Assert.NotNull(view.NotedAt);
    }

    [Fact]
    public async Task An_outage_that_an_agent_tells_of_is_shown()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "cut-off", heartbeats: false);

        using var answer = await worker.PostAsync("/api/worker/sync", Request(worker, new AgentSession(Guid.NewGuid(), 1, "attic")) with { CutOff = new CutOff(61.4, "the coordinator answered 403 Forbidden") });

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("Was out of reach for 61 s while its trainers went on: the coordinator answered 403 Forbidden", (await ViewAsync(worker)).Note);
    }

    [Fact]
    public async Task Batches_that_an_agent_gave_up_are_shown_though_its_session_goes_on()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "dead-letters", heartbeats: false);
        var session = Guid.NewGuid();
        using var first = await worker.PostAsync("/api/worker/sync", Request(worker, new AgentSession(session, 1, "attic")));

        using var answer = await worker.PostAsync("/api/worker/sync", Request(worker, new AgentSession(session, 2, "attic")) with { Refused = new RefusedLetters(2, "logs: batch 7: no such text") });

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (first.StatusCode, answer.StatusCode));
        Assert.Equal("2 batches could not be taken in and lie in the folder refused of the worker's home. Last of logs: batch 7: no such text", (await ViewAsync(worker)).Note);
    }

    [Theory]
    [InlineData("2", HttpStatusCode.OK)]
    [InlineData("3", HttpStatusCode.OK)]
    [InlineData("4", HttpStatusCode.OK)]
    [InlineData("5", HttpStatusCode.UpgradeRequired)]
    [InlineData("2000000000", HttpStatusCode.UpgradeRequired)]
    [InlineData("0", HttpStatusCode.UnprocessableEntity)]
    [InlineData("-1", HttpStatusCode.UnprocessableEntity)]
    [InlineData("two", HttpStatusCode.UnprocessableEntity)]
    public async Task An_agent_one_version_apart_works_and_two_apart_is_refused_by_both_numbers(string? version, HttpStatusCode expected)
    {
        await using var worker = await FakeWorker.JoinAsync(_service, $"speaks-{version}", heartbeats: false);
        using var answer = await worker.PostAsync("/api/worker/sync", Request(worker, null), (ProtocolVersion.Header, version));

        Assert.Equal(expected, answer.StatusCode);
        Assert.Equal(["3"], answer.Headers.GetValues(ProtocolVersion.Header));
        if (expected is HttpStatusCode.UpgradeRequired)
        {
            Assert.Contains($"The agent speaks version {version} of the worker protocol, the coordinator version 3; they may be one apart. Update the coordinator.", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("1")]
    public async Task An_agent_from_before_versions_were_told_is_to_be_updated(string? version)
    {
        await using var worker = await FakeWorker.JoinAsync(_service, $"old-{version}", heartbeats: false);
        using var answer = await worker.PostAsync("/api/worker/sync", Request(worker, null), (ProtocolVersion.Header, version));

        Assert.Equal(HttpStatusCode.UpgradeRequired, answer.StatusCode);
        Assert.Contains("The agent speaks version 1 of the worker protocol, the coordinator version 3; they may be one apart. Update the agent.", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_removed_worker_is_told_so_and_an_unknown_token_is_not_taken_for_one()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "removed", heartbeats: false);
        using var removal = await _service.Http.DeleteAsync(new Uri($"/api/v1/workers/{worker.Id}", UriKind.Relative));
        using var removed = await SyncAsync(worker, null);
        using var stranger = new HttpRequestMessage(HttpMethod.Post, new Uri(_service.Address, "/api/worker/sync")) { Content = JsonContent.Create(Request(worker, null), options: Json.Wire) };
        stranger.Headers.Authorization = new("Bearer", "of nobody");
        using var client = new HttpClient();
        using var unknown = await client.SendAsync(stranger);

        Assert.Equal((HttpStatusCode.Gone, "application/problem+json"), (removed.StatusCode, removed.Content.Headers.ContentType!.MediaType));
        Assert.Contains("removed was removed from this pool.", await removed.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Unauthorized, unknown.StatusCode);

        // Without it an agent takes the refusal for that of a coordinator from before versions were told.
        Assert.Equal(["3"], removed.Headers.GetValues(ProtocolVersion.Header));
        Assert.Equal(["3"], unknown.Headers.GetValues(ProtocolVersion.Header));
    }

    private static SyncRequest Request(FakeWorker worker, AgentSession? session, params AttemptReport[] attempts) =>
        new() { AgentVersion = "test", Devices = worker.Devices, Session = session, Attempts = attempts, WaitMilliseconds = 0 };

    private static Task<HttpResponseMessage> SyncAsync(FakeWorker worker, AgentSession? session, params AttemptReport[] attempts) =>
        worker.PostAsync("/api/worker/sync", Request(worker, session, attempts));

    private static async Task<Assignment> AssignmentAsync(FakeWorker worker, Guid session)
    {
        long number = 1;
        var assignment = await Eventually.GetAsync(
            async () =>
            {
                using var answer = await SyncAsync(worker, new AgentSession(session, ++number, "attic"));
                return (await answer.Content.ReadFromJsonAsync<SyncResponse>(Json.Wire))!.Assignments.FirstOrDefault();
            },
            a => a is not null,
            "the run is placed");
        return assignment!;
    }

    private async Task<WorkerView> ViewAsync(FakeWorker worker) =>
        (await _service.WorkersAsync()).Single(w => w.Id == worker.Id);
}
