using Hearth.Cli;
using Hearth.Cli.Pool;
using Xunit;

namespace Hearth.Tests;

public sealed class JoinCommandTests
{
    [Fact]
    public void The_line_of_the_pool_page_becomes_the_agents_options()
    {
        var command = JoinCommand.Create();

        var parsed = command.Parse(["http://10.0.0.2:7770", "K7QF-29MX", "--name", "attic"]);

        Assert.Empty(parsed.Errors);
        Assert.Equal(["--name", "attic"], parsed.UnmatchedTokens);
        Assert.Equal(
            ["--coordinator", "http://10.0.0.2:7770", "--join", "K7QF-29MX", "--trainer", Repository.Trainer, "--name", "attic"],
            JoinCommand.Arguments("http://10.0.0.2:7770", "K7QF-29MX", parsed.UnmatchedTokens));
    }

    [Fact]
    public void A_machine_that_has_joined_needs_no_code() =>
        Assert.DoesNotContain("--join", JoinCommand.Arguments("http://10.0.0.2:7770", null, []));
}
