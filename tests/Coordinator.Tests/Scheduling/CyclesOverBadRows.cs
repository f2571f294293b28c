using Hearth.Api;
using Hearth.Runs;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests.Scheduling;

/// <summary>One row that should not be stops nobody else, and a cycle that finds nothing new writes nothing.</summary>
[Collection(SharedPostgres.Name)]
public sealed class CyclesOverBadRows(PostgresServer postgres) : IAsyncLifetime
{
    private CoordinatorProcess _service = null!;
    private NpgsqlDataSource _database = null!;

    public async Task InitializeAsync()
    {
        string database = await postgres.CreateDatabaseAsync();
        _service = await CoordinatorProcess.StartAsync(database);
        _database = NpgsqlDataSource.Create(database);
        await _service.AddDatasetAsync();
    }

    public async Task DisposeAsync()
    {
        await _service.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Theory]
    [InlineData("""[{"index": 0, "kind": "cuda", "model": "A", "uuid": "a", "memory_bytes": 1}, {"index": 0, "kind": "cuda", "model": "A", "uuid": "a", "memory_bytes": 1}]""", "devices[1].index is 0.")]
    [InlineData("""[null]""", "devices[0] is null.")]
    [InlineData("""[{"index": 0, "kind": "quantum", "model": "A", "uuid": "a", "memory_bytes": 1}]""", "devices cannot be read")]
    public async Task A_device_list_that_contradicts_itself_is_set_aside_and_said_and_the_others_go_on(string devices, string problem)
    {
        await using var odd = await FakeWorker.JoinAsync(_service, "odd", heartbeats: false);
        await ExecuteAsync("update workers set devices = $1::jsonb", devices);
        await using var sound = await FakeWorker.JoinAsync(_service, "sound");

        var run = await _service.SubmitAsync(Pool.Spec());

        Assert.Equal("sound/0", (await _service.WaitAsync(run, RunState.Running)).Summary.Device);
        var shown = (await _service.WorkersAsync()).Single(w => w.Name == "odd");
        Assert.Empty(shown.Devices);
        Assert.StartsWith(problem, shown.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_spec_that_this_version_cannot_read_waits_with_that_reason_and_the_others_go_on()
    {
        var odd = Guid.CreateVersion7();
        var run = await _service.SubmitAsync(Pool.Spec("sound"));
        await ExecuteAsync(
            "insert into runs (id, name, state, priority, spec, parameters, created_by) select $1, 'odd', 'queued', 2, jsonb_set(spec, '{data,seq_len}', '0'), parameters, created_by from runs", odd);

        await using var worker = await FakeWorker.JoinAsync(_service, "studio");

        await _service.WaitAsync(run, RunState.Running);
        var reason = await Eventually.GetAsync(() => _service.DetailAsync(odd), d => d.Summary.Reason is not null, "the other says why it waits");
        Assert.StartsWith("This version cannot read its spec", reason.Summary.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reason_is_written_when_it_changes_and_not_at_every_look()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio");
        await _service.WaitAsync(await _service.SubmitAsync(Pool.Spec("holder")), RunState.Running);
        var waiting = await SubmitWaitingAsync("waiting");
        var before = await RowVersionAsync(waiting);

        // Each new run that was given its reason shows that the scheduler has looked at the whole queue again.
        for (int look = 0; look < 3; look++)
        {
            await SubmitWaitingAsync($"later-{look}");
        }

        Assert.Equal(before, await RowVersionAsync(waiting));
    }

    private async Task<RunSummary> SubmitWaitingAsync(string name)
    {
        var run = await _service.SubmitAsync(Pool.Spec(name));
        await Eventually.GetAsync(() => _service.DetailAsync(run.Id), d => d.Summary.Reason == "Fits only studio/0. holder holds studio/0.", $"{name} says why it waits");
        return run;
    }

    private async Task<string> RowVersionAsync(RunSummary run)
    {
        await using var command = _database.CreateCommand("select xmin::text from runs where id = $1");
        command.Parameters.AddWithValue(run.Id);
        return (string)(await command.ExecuteScalarAsync())!;
    }

    private async Task ExecuteAsync(string sql, params object[] parameters)
    {
        await using var command = _database.CreateCommand(sql);
        foreach (object parameter in parameters)
        {
            command.Parameters.AddWithValue(parameter);
        }

        await command.ExecuteNonQueryAsync();
    }
}
