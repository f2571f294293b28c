using System.CommandLine;
using Hearth.Api;

namespace Hearth.Cli.Client;

/// <summary><c>schedules</c>: runs by the clock.</summary>
internal static class SchedulesCommand
{
    public static Command Create() => ClientCommand.Group(
        "schedules",
        "Runs that are submitted by the clock.",
        List(),
        New(),
        Switch("enable", "Switch a schedule on, from now."),
        Switch("disable", "Switch a schedule off."),
        Delete());

    private static Argument<string> NameArgument() => new Argument<string>("name") { Description = "As schedules list shows it." }.NotEmpty("a name of ./hearth schedules list, or an id");

    private static Command List()
    {
        var list = new Command("list", "Schedules and what came of each one's last time.");
        ClientCommand.Bind(list, async (_, api, output, stop) => output.Show(
            await api.GetAsync<IReadOnlyList<ScheduleView>>("schedules", stop),
            all => output.Table(["schedule", "cron", "zone", "next", "last", "result"], all.Select(Row))));
        return list;
    }

    private static Command New()
    {
        var name = new Argument<string>("name") { Description = "How it will be called." };
        var file = Given.File("file", "The run: YAML or JSON, as runs submit takes it.");
        var cron = new Option<string>("--cron") { Description = "When: minute, hour, day of month, month, day of week, such as \"30 2 * * 1-5\".", Required = true };
        var zone = new Option<string>("--zone") { Description = "IANA time zone that the cron is read in.", DefaultValueFactory = _ => "UTC" };
        var overlap = new Option<bool>("--overlap") { Description = "Submit even while the last run still runs; without it that time is skipped." };
        var off = new Option<bool>("--disabled") { Description = "Make it switched off." };
        var create = new Command("create", "Make a schedule; its run is checked as a submission is.") { name, file, cron, zone, overlap, off };
        ClientCommand.Bind(create, async (parsed, api, output, stop) =>
        {
            var request = new SaveSchedule(
                parsed.GetRequiredValue(name), RunsCommand.ReadSpec(parsed.GetRequiredValue(file)), parsed.GetRequiredValue(cron), parsed.GetValue(zone), !parsed.GetValue(overlap), !parsed.GetValue(off));
            return output.Show(await api.PostAsync<ScheduleView>("schedules", request, stop), s => output.Line($"{s.Name}: {NextWords(s)}"));
        });
        return create;
    }

    private static Command Switch(string verb, string description)
    {
        var name = NameArgument();
        var command = new Command(verb, description) { name };
        ClientCommand.Bind(command, async (parsed, api, output, stop) => output.Show(
            await api.PostAsync<ScheduleView>($"schedules/{Uri.EscapeDataString(parsed.GetRequiredValue(name))}/{verb}", null, stop), s => output.Line($"{s.Name}: {NextWords(s)}")));
        return command;
    }

    private static Command Delete()
    {
        var name = NameArgument();
        var command = new Command("delete", "Delete a schedule. Runs that it submitted stay.") { name };
        ClientCommand.Bind(command, async (parsed, api, _, stop) =>
        {
            await api.DeleteAsync($"schedules/{Uri.EscapeDataString(parsed.GetRequiredValue(name))}", stop);
            return ExitCodes.Done;
        });
        return command;
    }

    private static string[] Row(ScheduleView s) =>
        [s.Name, s.Cron, s.Zone, s.NextAt is { } next ? $"{next.ToLocalTime():yyyy-MM-dd HH:mm}" : "off", s.LastFireAt is { } last ? $"{last.ToLocalTime():yyyy-MM-dd HH:mm}" : "never", s.LastResult ?? ""];

    private static string NextWords(ScheduleView s) => s.NextAt is { } next ? $"next at {next.ToLocalTime():yyyy-MM-dd HH:mm}" : "off";
}
