using Hearth.Cli;
using Xunit;

namespace Hearth.Tests;

public sealed class ProgramOutputTests
{
    [Fact]
    public async Task A_program_that_is_not_there_is_named_and_one_that_fails_says_why()
    {
        var missing = await Assert.ThrowsAsync<CliException>(() => ProgramOutput.ReadAsync(["no-such-program", "--now"], "/", CancellationToken.None));
        var failed = await Assert.ThrowsAsync<CliException>(() => ProgramOutput.ReadAsync(["sh", "-c", "echo broken >&2; exit 3"], "/", CancellationToken.None));

        Assert.StartsWith("no-such-program cannot be started in /: ", missing.Message, StringComparison.Ordinal);
        Assert.EndsWith("Is it installed?", missing.Message, StringComparison.Ordinal);
        Assert.EndsWith(" ended with 3: broken", failed.Message, StringComparison.Ordinal);
        Assert.Equal("fine, well", await ProgramOutput.ReadAsync(["sh", "-c", "echo \"  $WORD, well  \""], "/", CancellationToken.None, ("WORD", "fine")));
    }
}
