using System.CommandLine;
using Hearth.Cli.Client;
using Hearth.Cli.Pool;

namespace Hearth.Cli.Demo;

/// <summary>
/// <c>demo</c>: a pool of its own, a run on real text, its trainer killed half way, and the proof that the resumed run is the
/// straight one, bit for bit; then its checkpoint tuned on questions and answers, and two answers. Leaves with 0 only if all of it held.
/// </summary>
internal static class DemoCommand
{
    public static Command Create()
    {
        var data = new Option<string?>("--data") { Description = "Folder to keep everything in; a temporary one when left out." };
        var port = Given.Optional("--port", "Port of the coordinator; a free one when left out.", 1, 65_535);
        var steps = Given.Number("--steps", "Steps of the run.", 600, 40, 1_000_000);
        var stay = new Option<bool>("--stay") { Description = "Keep the pool up afterwards, until Ctrl-C." };
        var command = new Command("demo", "Show it all: train, kill the trainer, resume exactly, tune, ask.") { data, port, steps, stay };
        command.SetAction((parsed, stop) => Guard.RunAsync(() => RunAsync(
            PoolOptions.Private(parsed.GetValue(data), parsed.GetValue(port)), parsed.GetValue(data) is null, parsed.GetValue(steps), parsed.GetValue(stay), stop)));
        return command;
    }

    private static async Task<int> RunAsync(PoolOptions options, bool temporary, int steps, bool stay, CancellationToken stop)
    {
        var view = DemoViews.ForTerminal();
        string text = DemoText.Find(), wordNet = WordNetGlosses.Find();
        view.Say("Starting PostgreSQL, the coordinator and a worker ...");
        bool held = await PrivatePool.UseAsync(options, temporary, view.Say, async pool =>
        {
            view.Say($"Watch it at {pool.Address} with the token {pool.AdminToken}");
            bool all = Print(await new DemoRun(pool, view, text, wordNet, steps).RunAsync(stop), view);
            if (stay)
            {
                view.Say($"Still up at {pool.Address} with the token {pool.AdminToken}; Ctrl-C stops it.");
                await UpCommand.WaitForStopAsync(stop);
            }

            return all;
        }, stop);
        return held ? ExitCodes.Done : ExitCodes.Failed;
    }

    private static bool Print(DemoSummary summary, IDemoView view)
    {
        view.Say("");
        foreach (string line in Output.Columns([.. summary.Rows().Select(r => new[] { r.Name, r.Value })]))
        {
            view.Say(line);
        }

        foreach (string miss in summary.Misses())
        {
            view.Say(miss);
        }

        view.Say(summary.AllHeld ? "All of it held." : "The demo failed.");
        return summary.AllHeld;
    }
}
