using System.CommandLine;
using Hearth.Cli.Client;
using Hearth.Cli.Cluster;
using Hearth.Cli.Demo;
using Hearth.Cli.Pool;
using Xunit;

namespace Hearth.Tests;

public sealed class WrongOptionsTests
{
    private static readonly RootCommand Root =
    [
        UpCommand.Create(), DemoCommand.Create(), RunsCommand.Create(), SchedulesCommand.Create(), SweepsCommand.Create(), DatasetCommands.Datasets(), PoolCommands.Tokens(), JobsCommand.Create(),
        BackupCommands.Backup(), BackupCommands.Restore(), ClusterCommand.Create(),
    ];

    [Theory]
    [InlineData("--port is x. Allowed: 1 to 65,535.", "up", "--port", "x")]
    [InlineData("--port is 65536. Allowed: 1 to 65,535.", "up", "--port", "65536")]
    [InlineData("--port is 0. Allowed: 1 to 65,535.", "demo", "--port", "0")]
    [InlineData("--threads is -1. Allowed: 0 to 1,024.", "up", "--threads", "-1")]
    [InlineData("--data is empty. Allowed: the path of a folder.", "up", "--data", "")]
    [InlineData("--steps is 1e9. Allowed: 40 to 1,000,000.", "demo", "--steps", "1e9")]
    [InlineData("--limit is many. Allowed: a whole number.", "runs", "list", "--limit", "many")]
    [InlineData("--top-p is NaN. Allowed: a number.", "runs", "generate", "r-1", "--top-p", "NaN")]
    [InlineData("--seed is 1.5. Allowed: a whole number.", "runs", "generate", "r-1", "--seed", "1.5")]
    [InlineData("--data is empty. Allowed: the path of a folder.", "runs", "list", "--data", "")]
    [InlineData("file is empty. Allowed: the path of a file.", "runs", "submit", "")]
    [InlineData("file is empty. Allowed: the path of a file.", "schedules", "create", "nightly", "", "--cron", "0 3 * * *")]
    [InlineData("name is empty. Allowed: a name of ./hearth schedules list, or an id.", "schedules", "delete", "")]
    [InlineData("file is empty. Allowed: the path of a file.", "sweep", "submit", "")]
    [InlineData("sweep is empty. Allowed: a number of ./hearth sweeps list, or an id.", "sweeps", "cancel", "")]
    [InlineData("name is empty. Allowed: a name of ./hearth jobs list.", "jobs", "run", " ")]
    [InlineData("paths is empty. Allowed: paths of files or folders.", "datasets", "import", "docs", "a", "", "--license", "mine")]
    [InlineData("--days is soon. Allowed: a whole number.", "tokens", "create", "me", "--days", "soon")]
    [InlineData("id is abc. Allowed: an id.", "tokens", "revoke", "abc")]
    [InlineData("file is empty. Allowed: the path of a file.", "backup", "")]
    [InlineData("file is empty. Allowed: the path of a file.", "restore", "", "--data", "new")]
    [InlineData("--data is empty. Allowed: the path of a folder.", "restore", "pool.backup", "--data", "")]
    [InlineData("--days is x. Allowed: 1 to 3,650.", "cluster", "certificate", "attic", "--days", "x")]
    [InlineData("--days is 0. Allowed: 1 to 3,650.", "cluster", "certificate", "attic", "--days", "0")]
    [InlineData("--folder is empty. Allowed: the path of a folder.", "cluster", "certificate", "attic", "--folder", "")]
    public void A_wrong_value_is_named_with_what_is_allowed(string message, params string[] arguments) =>
        Assert.Equal([message], Root.Parse(arguments).Errors.Select(e => e.Message));

    [Fact]
    public void Right_values_and_those_that_are_left_out_are_taken()
    {
        Assert.Empty(Root.Parse(["up", "--port", "8080", "--threads", "2"]).Errors);
        Assert.Empty(Root.Parse(["demo"]).Errors);
        Assert.Empty(Root.Parse(["runs", "generate", "r-1", "--top-p", "0.9", "--seed", "-7", "--step", "100"]).Errors);
        Assert.Empty(Root.Parse(["tokens", "create", "me"]).Errors);
    }
}
