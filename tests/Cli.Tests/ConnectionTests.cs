using System.Net;
using System.Text.Json;
using Hearth.Cli;
using Hearth.Cli.Client;
using Hearth.Cli.Pool;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests;

public sealed class ConnectionTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_pool_of_this_machine_is_found_by_its_folder()
    {
        _folder.File("admin.token", "hth_secret\n");
        _folder.File("up.json", JsonSerializer.Serialize(new PoolHolder(new ProcessMark(1, DateTime.UnixEpoch), 8123), Json.Wire));

        var found = Connection.Find(_ => null, _folder.Path);

        Assert.Equal(new Connection(new Uri("http://localhost:8123/"), "hth_secret"), found);
    }

    [Fact]
    public void Without_a_pool_the_usual_port_is_asked_without_a_token() =>
        Assert.Equal(new Connection(new Uri("http://localhost:7770/"), null), Connection.Find(_ => null, _folder.Path));

    [Fact]
    public void The_environment_goes_before_the_folder()
    {
        _folder.File("admin.token", "hth_secret");
        var environment = new Dictionary<string, string> { ["HEARTH_URL"] = "https://pool.example", ["HEARTH_TOKEN"] = "hth_other" };

        Assert.Equal(new Connection(new Uri("https://pool.example/"), "hth_other"), Connection.Find(environment.GetValueOrDefault, _folder.Path));
    }

    [Fact]
    public void The_token_of_this_machines_pool_is_never_sent_to_another_one()
    {
        _folder.File("admin.token", "hth_secret");

        Assert.Null(Connection.Find(name => name == "HEARTH_URL" ? "http://elsewhere:7770" : null, _folder.Path).Token);
    }

    [Fact]
    public void A_wrong_address_is_named_with_what_is_allowed()
    {
        var e = Assert.Throws<CliException>(() => Connection.Find(name => name == "HEARTH_URL" ? "pool:7770" : null, _folder.Path));

        Assert.Equal((ExitCodes.BadInput, "HEARTH_URL is pool:7770. Allowed: http://HOST:PORT or https://HOST."), (e.ExitCode, e.Message));
    }

    [Theory]
    [InlineData("hth_a\nb")]
    [InlineData("hth_ä")]
    [InlineData("hth_a b")]
    public void A_token_that_no_request_carries_is_named_by_where_it_stands(string token)
    {
        var given = Assert.Throws<CliException>(() => Connection.Find(name => name == "HEARTH_TOKEN" ? token : null, _folder.Path));
        string file = _folder.File("admin.token", token);
        var found = Assert.Throws<CliException>(() => Connection.Find(_ => null, _folder.Path));

        Assert.StartsWith("HEARTH_TOKEN holds characters that no token has.", given.Message, StringComparison.Ordinal);
        Assert.StartsWith($"{file} holds characters that no token has.", found.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_wrong_field_is_one_line_in_the_apis_words()
    {
        var e = new ApiException(HttpStatusCode.UnprocessableEntity, "2 fields are wrong.",
        [
            new FieldError("data.seq_len", "512", "8 to 256", "512 is over Qovaryx nano's longest, 256. Allowed: 8 to 256."),
            new FieldError("model.n_head", "5", "", "model.n_head 5 does not divide model.d_model 64."),
        ]);

        Assert.Equal(
            ["data.seq_len: 512 is over Qovaryx nano's longest, 256. Allowed: 8 to 256.", "model.n_head 5 does not divide model.d_model 64."],
            e.Lines);
    }

    [Theory]
    [InlineData(HttpStatusCode.Unauthorized, 4)]
    [InlineData(HttpStatusCode.Forbidden, 4)]
    [InlineData(HttpStatusCode.UnprocessableEntity, 2)]
    [InlineData(HttpStatusCode.NotFound, 2)]
    [InlineData(HttpStatusCode.Conflict, 1)]
    [InlineData(HttpStatusCode.ServiceUnavailable, 1)]
    public void A_refusal_has_the_exit_code_of_its_kind(HttpStatusCode status, int code) => Assert.Equal(code, new ApiException(status, "", []).ExitCode);

    [Fact]
    public void Columns_are_as_wide_as_their_widest_cell_and_lines_have_no_tail() => Assert.Equal(
        ["run   state", "r-1   running", "r-17"],
        Output.Columns([["run", "state"], ["r-1", "running"], ["r-17", ""]]));
}
