using System.Diagnostics;
using Hearth.Cli;
using Xunit;

namespace Hearth.Tests;

public sealed class HelpWordsTests
{
    [Theory]
    [InlineData("Commands:")]
    [InlineData("Commands:", "help")]
    [InlineData("Commands:", "--help")]
    [InlineData("--data, --out", "help", "train")]
    public async Task Help_is_printed_however_it_is_asked_for(string words, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(HelpWords).Assembly.Location, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();

        Assert.Equal((0, ""), (process.ExitCode, await errors));
        Assert.Contains(words, output, StringComparison.Ordinal);
    }
}
