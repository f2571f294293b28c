using System.Net;
using System.Net.Http.Json;
using Hearth.Api;
using Hearth.Hardware;
using Hearth.Protocol;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests;

[Collection(SharedPostgres.Name)]
public sealed class JoiningTests(PostgresServer postgres) : IAsyncLifetime
{
    private static readonly DeviceInfo[] Devices = [new(0, DeviceKind.Cpu, "A processor", "cpu-0", 8L << 30)];
    private string _database = "";
    private CoordinatorProcess _service = null!;

    public async Task InitializeAsync() => _service = await CoordinatorProcess.StartAsync(_database = await postgres.CreateDatabaseAsync());

    public async Task DisposeAsync() => await _service.DisposeAsync();

    [Fact]
    public async Task A_code_is_good_once_and_its_command_names_this_coordinator()
    {
        var code = await CodeAsync();
        using var first = await JoinAsync(code.Code, "studio");
        using var second = await JoinAsync(code.Code, "attic");

        Assert.Equal($"./hearth join {_service.Address.GetLeftPart(UriPartial.Authority)} {code.Code}", code.Command);
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.Forbidden), (first.StatusCode, second.StatusCode));
        Assert.Equal("The code is not known, was used already, or has expired. Make a new one on the pool page.", await second.DetailAsync());
        var worker = Assert.Single(await _service.WorkersAsync());
        Assert.Equal(("studio", "studio/0", true), (worker.Name, Assert.Single(worker.Devices).Name, worker.Online));
    }

    [Fact]
    public async Task An_expired_code_joins_nobody()
    {
        var code = await CodeAsync();
        await using var database = NpgsqlDataSource.Create(_database);
        await using var expire = database.CreateCommand("update join_codes set expires_at = now() - interval '1 second'");
        await expire.ExecuteNonQueryAsync();

        using var late = await JoinAsync(code.Code, "studio");

        Assert.Equal(HttpStatusCode.Forbidden, late.StatusCode);
        Assert.Empty(await _service.WorkersAsync());
    }

    [Fact]
    public async Task A_taken_name_gets_a_number_and_a_wrong_one_spends_no_code()
    {
        var code = await CodeAsync();
        using var wrong = await JoinAsync(code.Code, "a/b");
        using var first = await JoinAsync(code.Code, "studio");
        using var second = await JoinAsync((await CodeAsync()).Code.ToLowerInvariant(), "studio");

        Assert.Equal("name", Assert.Single(await wrong.ErrorsAsync()).Field);
        Assert.Equal("studio", (await first.Content.ReadFromJsonAsync<JoinResponse>(Json.Wire))!.Name);
        Assert.Equal("studio-2", (await second.Content.ReadFromJsonAsync<JoinResponse>(Json.Wire))!.Name);
    }

    [Fact]
    public async Task A_worker_reaches_its_own_routes_alone_and_a_removed_one_none()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio", heartbeats: false);
        using var http = _service.Client(worker.Token);

        using var lists = await http.GetAsync(new Uri("/api/v1/runs", UriKind.Relative));
        using var admin = await _service.PostAsync("/api/worker/sync", new SyncRequest { AgentVersion = "test", Devices = Devices });
        Assert.NotNull(await worker.SyncAsync());
        using var removed = await _service.Http.DeleteAsync(new Uri($"/api/v1/workers/{worker.Id}", UriKind.Relative));
        using var after = await worker.PostAsync("/api/worker/sync", new SyncRequest { AgentVersion = "test", Devices = Devices });

        Assert.Equal((HttpStatusCode.Forbidden, HttpStatusCode.Forbidden), (lists.StatusCode, admin.StatusCode));
        Assert.Equal((HttpStatusCode.NoContent, HttpStatusCode.Gone), (removed.StatusCode, after.StatusCode));
    }

    private async Task<JoinCodeView> CodeAsync()
    {
        using var answer = await _service.PostAsync("/api/v1/workers/join-codes");
        return (await answer.Content.ReadFromJsonAsync<JoinCodeView>(Json.Wire))!;
    }

    private async Task<HttpResponseMessage> JoinAsync(string code, string name)
    {
        using var http = _service.Client(null);
        return await http.PostAsJsonAsync("/api/worker/join", new JoinRequest(code, name, "test", Devices), Json.Wire);
    }
}
