using System.CommandLine;
using System.Diagnostics;

namespace Hearth.Cli.Pool;

/// <summary><c>join</c>: lends this machine's devices to another machine's pool, until Ctrl-C.</summary>
internal static class JoinCommand
{
    /// <summary>From the stop to the kill: every trainer writes its checkpoint and the agent hands it over.</summary>
    private static readonly TimeSpan StopGrace = TimeSpan.FromMinutes(2);

    public static Command Create()
    {
        var url = new Argument<string>("url") { Description = "Address of the coordinator, such as http://192.168.1.10:7770." };
        var code = new Argument<string?>("code") { Description = "One-time code of its pool page; not needed again once joined.", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("join", "Lend this machine to another machine's pool; further options go to the agent (--name, --home, --devices, --threads).")
        {
            url, code,
        };
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction((parsed, stop) => RunAsync(Arguments(parsed.GetRequiredValue(url), parsed.GetValue(code), parsed.UnmatchedTokens), stop));
        return command;
    }

    /// <summary>The agent's own options. Pure.</summary>
    public static IReadOnlyList<string> Arguments(string url, string? code, IReadOnlyList<string> further) =>
        ["--coordinator", url, .. code is null ? (string[])[] : ["--join", code], "--trainer", Repository.Trainer, .. further];

    /// <returns>The agent's exit code; it names what is wrong by itself.</returns>
    private static async Task<int> RunAsync(IReadOnlyList<string> arguments, CancellationToken stop)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [Repository.Agent, .. arguments]))!;
        var agent = ProcessMark.Of(process);
        using var passOn = stop.Register(() => _ = Signals.StopAsync(agent, Signals.Terminate, StopGrace));
        await process.WaitForExitAsync(CancellationToken.None);
        return process.ExitCode;
    }
}
