using System.Net;
using System.Text.Json.Nodes;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests.Runs;

/// <summary>Runs that begin with the weights and the tokenizer of another run's checkpoint.</summary>
[Collection(SharedPostgres.Name)]
public sealed class StartingFromACheckpoint(PostgresServer postgres) : IAsyncLifetime
{
    private string _database = "";
    private CoordinatorProcess _service = null!;

    public async Task InitializeAsync()
    {
        _service = await CoordinatorProcess.StartAsync(_database = await postgres.CreateDatabaseAsync());
        await _service.AddDatasetAsync();
        const string Chat = """{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes?"}]}""";
        using var response = await _service.Http.PostAsync(new Uri("/api/v1/datasets?name=chat&license=ours&kind=jsonl", UriKind.Relative), new StringContent($"{Chat}\n{Chat.Replace("Hi", "Ho", StringComparison.Ordinal)}\n"));
        Assert.True(response.StatusCode == HttpStatusCode.OK, await response.Content.ReadAsStringAsync());
    }

    public async Task DisposeAsync() => await _service.DisposeAsync();

    [Fact]
    public async Task A_tuned_run_is_given_the_checkpoint_until_it_has_one_of_its_own()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio", heartbeats: false);
        var (number, ten) = await PretrainedAsync(worker);

        var run = await _service.SubmitAsync(Tuned($"r-{number}"));
        var first = await AssignedAsync(worker);
        await worker.SyncAsync([new AttemptReport(first.Lease, AttemptState.Running, null, null, 3)]);
        await worker.CheckpointAsync(first.Lease, 4, "four");
        await worker.SyncAsync(ended: [new AttemptEnd(first.Lease, AttemptState.Lost, 4, null, null, "The agent came back.")]);
        var second = await AssignedAsync(worker);

        Assert.Equal($"r-{number}@10", first.Spec.StartFrom);
        Assert.Null(first.Checkpoint);
        Assert.Contains("model.safetensors", first.Start!.Select(f => f.Name));
        Assert.Null(second.Start);
        Assert.NotNull(second.Checkpoint);
        var spec = (await _service.DetailAsync(run.Id)).Spec;
        Assert.Equal($"r-{number}@10", spec.GetProperty("start_from").GetString());
        Assert.Equal(ten, await ScalarAsync<Guid>("select start_checkpoint from runs where start_checkpoint is not null"));
    }

    [Fact]
    public async Task An_agent_from_before_such_runs_is_told_to_be_updated_and_the_run_waits_for_another()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio", heartbeats: false);
        var (number, _) = await PretrainedAsync(worker);
        var run = await _service.SubmitAsync(Tuned($"r-{number}"));

        worker.AssignmentVersion = Assignment.Version - 1;
        await Eventually.TrueAsync(
            async () => (await worker.SyncAsync())!.Assignments.Count == 0 && (await _service.DetailAsync(run.Id)).Attempts.Any(a => a.State == AttemptState.Lost), "the attempt is over");

        Assert.Equal("Its agent carries out assignments of version 1, and the run needs 2. Update the agent.", (await _service.DetailAsync(run.Id)).Attempts[0].Message);
    }

    [Fact]
    public async Task A_checkpoint_is_kept_while_a_run_that_began_with_it_has_not_ended()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio", devices: 2, heartbeats: false);
        var lasting = await _service.SubmitAsync(Pool.Spec("long"));
        var lease = (await AssignedAsync(worker)).Lease;
        await worker.SyncAsync([new AttemptReport(lease, AttemptState.Running, null, null, 10)]);
        await worker.CheckpointAsync(lease, 10, "ten");
        var tuned = await _service.SubmitAsync(Tuned($"r-{lasting.Number}@10"));

        foreach (int step in (int[])[20, 30, 40, 50])
        {
            await worker.CheckpointAsync(lease, step, $"at {step}");
        }

        Assert.Equal([50, 40, 30, 10], await KeptAsync(lasting.Id));
        await _service.ActAsync(tuned, "cancel");
        await worker.CheckpointAsync(lease, 60, "sixty");
        Assert.Equal([60, 50, 40], await KeptAsync(lasting.Id));
    }

    [Fact]
    public async Task What_does_not_go_together_is_refused_by_name()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio", heartbeats: false);
        var (number, _) = await PretrainedAsync(worker);
        string n = $"r-{number}";
        (string Field, JsonNode Value, string Message)[] cases =
        [
            ("start_from", "r-999", "start_from is r-999, and the pool has no such run."),
            ("start_from", "twelve", "start_from is twelve. Allowed: a run's newest checkpoint such as r-12, or that of a step such as r-12@500."),
            ("start_from", $"{n}@11", $"start_from is {n}@11, and {n} keeps no checkpoint of step 11. Allowed: {n}@10."),
            ("start_from", "", "start_from is empty, and task is sft, which tunes a trained model."),
            ("data.dataset", "docs", "The documents of docs are texts, and task is sft. Allowed: a dataset of conversations, or task pretrain."),
            ("data.tokenizer", "sentencepiece", $"data.tokenizer is sentencepiece, and {n}@10, which start_from names, was trained with its own of the kind byte_bpe."),
            ("model.family", "hybrid", $"model.family is hybrid, and start_from is {n}@10, a Qovaryx"),
            ("model.d_ff", 64, $"model.d_ff is 64, and that of {n}@10, which start_from names, is "),
            ("task", "pretrain", "The documents of chat are conversations, and task is pretrain. Allowed: a dataset of texts, or task sft."),
        ];
        foreach (var (field, value, message) in cases)
        {
            var spec = Tuned(n);
            string[] path = field.Split('.');
            var at = path.Length == 1 ? spec : (JsonObject)spec[path[0]]!;
            at[path[^1]] = value;

            using var response = await _service.PostAsync("/api/v1/runs", new { spec });

            Assert.True(response.StatusCode == HttpStatusCode.UnprocessableEntity, $"{field} {value}: {response.StatusCode}");
            Assert.Contains(await response.ErrorsAsync(), e => e.Message.StartsWith(message, StringComparison.Ordinal));
        }
    }

    private async Task<(long Number, Guid Checkpoint)> PretrainedAsync(FakeWorker worker)
    {
        var run = await _service.SubmitAsync(Pool.Spec("base"));
        var attempt = await AssignedAsync(worker);
        await worker.SyncAsync([new AttemptReport(attempt.Lease, AttemptState.Running, null, null, 10)]);
        var checkpoint = await worker.CheckpointAsync(attempt.Lease, 10, "ten");
        await worker.SyncAsync(ended: [new AttemptEnd(attempt.Lease, AttemptState.Succeeded, 100, "00000000deadbeef", null, null)]);
        return (run.Number, checkpoint);
    }

    private static JsonObject Tuned(string start)
    {
        var spec = Pool.Spec("tuned");
        (spec["task"], spec["start_from"], spec["data"]!["dataset"]) = (RunTasks.Sft, start, "chat");
        return spec;
    }

    private static async Task<Assignment> AssignedAsync(FakeWorker worker)
    {
        Assignment? found = null;
        await Eventually.TrueAsync(async () => (found = (await worker.SyncAsync())?.Assignments.SingleOrDefault()) is not null, "the worker is given an attempt");
        return found!;
    }

    private async Task<IEnumerable<long>> KeptAsync(Guid run) => (await _service.DetailAsync(run)).Checkpoints.Where(c => c.Status == "kept").Select(c => c.Step);

    private async Task<T> ScalarAsync<T>(string sql)
    {
        await using var database = NpgsqlDataSource.Create(_database);
        await using var command = database.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }
}
