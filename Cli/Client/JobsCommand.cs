using System.CommandLine;
using Hearth.Api;

namespace Hearth.Cli.Client;

/// <summary><c>jobs</c>: the pool's housekeeping.</summary>
internal static class JobsCommand
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(300);

    public static Command Create()
    {
        var list = new Command("list", "Recurring jobs and what came of them last.");
        ClientCommand.Bind(list, async (_, api, output, stop) => output.Show(
            await api.GetAsync<IReadOnlyList<JobView>>("jobs", stop),
            all => output.Table(["job", "schedule", "next", "last", "took", "result"], all.Select(Row))));

        var name = new Argument<string>("name") { Description = "As jobs list shows it." }.NotEmpty("a name of ./hearth jobs list");
        var run = new Command("run", "Have a job done now, and wait for its result.") { name };
        ClientCommand.Bind(run, async (parsed, api, output, stop) =>
        {
            var before = await api.PostAsync<JobView>($"jobs/{Uri.EscapeDataString(parsed.GetRequiredValue(name))}/run", null, stop);
            var done = before;
            while (done.LastStartedAt == before.LastStartedAt)
            {
                await Task.Delay(Look, stop);
                done = (await api.GetAsync<IReadOnlyList<JobView>>("jobs", stop)).Single(j => j.Name == before.Name);
            }

            output.Show(done, j => output.Line(j.LastResult ?? ""));
            return done.LastFailed ? ExitCodes.Failed : ExitCodes.Done;
        });
        return ClientCommand.Group("jobs", "The pool's housekeeping.", list, run);
    }

    internal static string[] Row(JobView job) =>
    [
        job.Name, job.Schedule, $"{job.NextAt.ToLocalTime():MM-dd HH:mm}",
        job.RunningSince is not null ? "at work" : job.LastStartedAt is { } at ? $"{at.ToLocalTime():MM-dd HH:mm}" : "never",
        job.LastSeconds is { } seconds ? Text.Seconds(seconds) : "",
        job.LastFailed ? $"failed: {job.LastResult}" : job.LastResult ?? "",
    ];
}
