using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Runs;
using Hearth.Coordinator.Workers;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests.Workers;

/// <summary>Heartbeats of many workers share statements, and each is answered as if it had come alone.</summary>
[Collection(SharedPostgres.Name)]
public sealed class WritingTogether(DataService data) : IClassFixture<DataService>
{
    private static readonly Guid One = Guid.NewGuid(), Other = Guid.NewGuid(), Somebody = Guid.NewGuid();

    [Fact]
    public async Task What_comes_while_a_statement_is_under_way_shares_the_next_and_each_gets_its_own_outcome()
    {
        var batches = new ConcurrentQueue<IReadOnlyList<int>>();
        var first = new TaskCompletionSource();
        var writes = new GroupedWrites<int, string>(async (batch, _) =>
        {
            batches.Enqueue(batch);
            await first.Task;
            return [.. batch.Select(i => i % 2 == 0 ? $"even {i}" : null)];
        });

        var alone = writes.AddAsync(0, CancellationToken.None);
        await Eventually.TrueAsync(() => Task.FromResult(batches.Count == 1), "the first is written while nobody else waits");
        var others = Enumerable.Range(1, 6).Select(i => writes.AddAsync(i, CancellationToken.None)).ToList();
        first.SetResult();

        Assert.Equal("even 0", await alone);
        List<string?> expected = [null, "even 2", null, "even 4", null, "even 6"], outcomes = [.. await Task.WhenAll(others)];
        Assert.Equal(expected, outcomes);
        Assert.Equal([[0], [1, 2, 3, 4, 5, 6]], batches);
    }

    [Fact]
    public async Task What_the_database_refuses_is_tried_alone_by_each_and_a_bug_is_thrown_to_each()
    {
        var refused = new GroupedWrites<int, string>((_, _) => Task.FromException<IReadOnlyList<string?>>(new NpgsqlException("one value is wrong")));
        var wrong = new GroupedWrites<int, string>((_, _) => Task.FromException<IReadOnlyList<string?>>(new InvalidOperationException("a bug")));

        Assert.All(await Task.WhenAll(refused.AddAsync(1, CancellationToken.None), refused.AddAsync(2, CancellationToken.None)), Assert.Null);
        await Assert.ThrowsAsync<InvalidOperationException>(() => wrong.AddAsync(1, CancellationToken.None));
        await Assert.ThrowsAsync<InvalidOperationException>(() => wrong.AddAsync(2, CancellationToken.None));
    }

    [Fact]
    public void Of_two_reports_of_an_attempt_the_newer_is_written_and_another_epoch_or_worker_displaces_none()
    {
        var older = Renewal(One, 1, Somebody, 7, step: 9);
        var newer = Renewal(One, 1, Somebody, 8, step: 5);
        var stale = Renewal(One, 0, Somebody, 99, step: 99);
        var stranger = Renewal(One, 1, Other, 99, step: 99);

        Assert.Equal([newer, stale, stranger], LeaseRenewals.Combine([newer, older, stale, stranger]));
        Assert.Equal([newer], LeaseRenewals.Combine([older, newer]));
        Assert.Equal([older with { Number = 8 }], LeaseRenewals.Combine([newer, older with { Number = 8 }]));
        Assert.Equal([new ReportedStep(One, 9), new ReportedStep(Other, 1)], ReportedSteps.Combine([new(One, 3), new(Other, 1), new(One, 9), new(One, 4)]));
    }

    [Fact]
    public void The_newest_report_of_a_session_speaks_and_between_sessions_nothing_is_decided_in_passing()
    {
        Presence older = Said(One, Somebody, 3), newer = Said(One, Somebody, 4), alone = Said(Other, Somebody, 1);
        Presence unsaid = Said(One, null, 0), later = Said(One, null, 0);

        Assert.Equal([newer, alone], Presences.Combine([newer, alone, older]));
        Assert.Equal([alone], Presences.Combine([older, alone, Said(One, Guid.NewGuid(), 1)]));
        Assert.Same(later, Assert.Single(Presences.Combine([unsaid, later])));
    }

    [Fact]
    public async Task An_old_epoch_among_good_ones_is_refused_alone()
    {
        using PlacedAttempt a = await data.PlaceAsync(), b = await data.PlaceAsync(), c = await data.PlaceAsync();
        var renewals = new LeaseRenewals(data.Database, TimeSpan.FromSeconds(10));

        var outcomes = await renewals.RenewAsync(
            [Renewal(a, 7), Renewal(b.Stale, b.WorkerId, 8), Renewal(c.Lease, a.WorkerId, 9), Renewal(c, 10), new LeaseRenewal(a.WorkerId, 2, Renewal(a, 5).Report)], CancellationToken.None);

        Assert.Equal([a.Lease, null, null, c.Lease, a.Lease], outcomes.Select(o => o is null ? null : new Lease(o.AttemptId, o.Epoch)));
        Assert.Equal([a.RunId, c.RunId], outcomes.OfType<RenewedLease>().Select(o => o.RunId).Distinct());
        Assert.Equal((5, 0, 10), (await StepAsync(a), await StepAsync(b), await StepAsync(c)));
        Assert.Null(await renewals.RenewAsync(Renewal(b.Stale, b.WorkerId, 8), CancellationToken.None));
    }

    [Fact]
    public async Task No_attempt_gets_further_than_its_run_goes_whatever_its_worker_says()
    {
        using var attempt = await data.PlaceAsync();
        using var answer = await SyncAsync(attempt, Guid.NewGuid(), 1, attempt.Lease, step: PlacedAttempt.Steps + 7);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(PlacedAttempt.Steps, await StepAsync(attempt));
        Assert.Equal(PlacedAttempt.Steps, await data.ScalarAsync<long>("select step from runs where id = $1", attempt.RunId));
    }

    [Fact]
    public async Task A_row_that_the_database_cannot_take_fails_alone()
    {
        using PlacedAttempt good = await data.PlaceAsync(), bad = await data.PlaceAsync();
        var renewals = new LeaseRenewals(data.Database, TimeSpan.FromSeconds(10));
        await data.ExecuteAsync($"alter table attempts add constraint refused check (id <> '{bad.Lease.AttemptId}' or last_step < 66)");
        try
        {
            var first = renewals.RenewAsync(Renewal(good, 1), CancellationToken.None);
            var both = new[] { renewals.RenewAsync(Renewal(bad, 66), CancellationToken.None), renewals.RenewAsync(Renewal(good, 12), CancellationToken.None) };

            await first;
            await Assert.ThrowsAsync<PostgresException>(() => both[0]);
            Assert.Equal(good.Lease.AttemptId, (await both[1])!.AttemptId);
            Assert.Equal((12, 0), (await StepAsync(good), await StepAsync(bad)));
        }
        finally
        {
            await data.ExecuteAsync("alter table attempts drop constraint refused");
        }
    }

    [Fact]
    public async Task Nobody_waits_for_a_row_that_somebody_else_holds()
    {
        using PlacedAttempt free = await data.PlaceAsync(), held = await data.PlaceAsync();
        var renewals = new LeaseRenewals(data.Database, TimeSpan.FromSeconds(10));
        await using var holder = await DbSession.BeginAsync(data.Database, CancellationToken.None);
        await holder.ExecuteAsync("select 1 from attempts where id = @AttemptId for update", new { held.Lease.AttemptId });

        var outcomes = await renewals.RenewAsync([Renewal(held, 3), Renewal(free, 4)], CancellationToken.None);
        var waits = renewals.RenewAsync(Renewal(held, 3), CancellationToken.None);
        Assert.False(waits.IsCompleted);
        await holder.CommitAsync();

        Assert.Null(outcomes[0]);
        Assert.Equal(free.Lease.AttemptId, outcomes[1]!.AttemptId);
        Assert.Equal(held.Lease.AttemptId, (await waits)!.AttemptId);
        Assert.Equal(3, await StepAsync(held));
    }

    [Fact]
    public async Task Many_agents_at_once_are_each_answered_for_themselves()
    {
        var attempts = await Task.WhenAll(Enumerable.Range(0, 24).Select(_ => data.PlaceAsync()));
        var sessions = attempts.ToDictionary(a => a.WorkerId, _ => Guid.NewGuid());
        foreach (long number in new long[] { 1, 3 })
        {
            var answers = await Task.WhenAll(attempts.Select(a => SyncAsync(a, sessions[a.WorkerId], number, a.Lease, step: number * 10)));
            Assert.All(answers, a => Assert.Equal(HttpStatusCode.OK, a.StatusCode));
        }

        // Every third is late, every third speaks of an epoch that is over, and the rest go on.
        var mixed = await Task.WhenAll(attempts.Select((a, i) => SyncAsync(a, sessions[a.WorkerId], i % 3 == 0 ? 2 : 4, i % 3 == 1 ? a.Stale : a.Lease, step: 50)));

        for (int i = 0; i < attempts.Length; i++)
        {
            Assert.Equal(i % 3 == 0 ? HttpStatusCode.PreconditionFailed : HttpStatusCode.OK, mixed[i].StatusCode);
            if (i % 3 != 0)
            {
                Assert.Equal(i % 3 == 1 ? [attempts[i].Lease.AttemptId] : [], (await mixed[i].Content.ReadFromJsonAsync<SyncResponse>(Json.Wire))!.Revoked);
            }

            Assert.Equal(i % 3 == 2 ? 50 : 30, await StepAsync(attempts[i]));
            Assert.Equal(i % 3 == 0 ? 3 : 4, await data.ScalarAsync<long>("select session_report from workers where id = $1", attempts[i].WorkerId));
            attempts[i].Dispose();
        }
    }

    private static async Task<HttpResponseMessage> SyncAsync(PlacedAttempt attempt, Guid session, long number, Lease lease, long step) => await attempt.PostAsync(
        "sync",
        new SyncRequest
        {
            AgentVersion = "test",
            Devices = [],
            Session = new AgentSession(session, number, "attic"),
            Attempts = [new AttemptReport(lease, AttemptState.Running, null, null, step)],
            WaitMilliseconds = 0,
        });

    private static LeaseRenewal Renewal(Guid attempt, long epoch, Guid worker, long number, long step) =>
        new(worker, number, new AttemptReport(new Lease(attempt, epoch), AttemptState.Running, null, null, step));

    private static LeaseRenewal Renewal(PlacedAttempt attempt, long step) => Renewal(attempt.Lease, attempt.WorkerId, step);

    private static LeaseRenewal Renewal(Lease lease, Guid worker, long step) => new(worker, 1, new AttemptReport(lease, AttemptState.Running, null, null, step));

    private static Presence Said(Guid worker, Guid? session, long number) =>
        new(worker, new SyncRequest { AgentVersion = "test", Devices = [], Session = session is { } id ? new AgentSession(id, number, "attic") : null });

    private Task<long> StepAsync(PlacedAttempt attempt) => data.ScalarAsync<long>("select last_step from attempts where id = $1", attempt.Lease.AttemptId);
}
