using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Hearth.Api;

namespace Hearth.Cli.Client;

/// <summary><c>sweeps</c>: many runs that differ in a few fields.</summary>
internal static class SweepsCommand
{
    private const int Decisions = 10;

    public static Command Create()
    {
        var group = ClientCommand.Group("sweeps", "Many runs that differ in a few fields, and which of them go on.", Submit(), Check(), List(), Show(), Cancel());
        group.Aliases.Add("sweep");
        return group;
    }

    private static Argument<string> SweepArgument() => new Argument<string>("sweep") { Description = "A sweep's number (s-17) or id." }.NotEmpty("a number of ./hearth sweeps list, or an id");

    private static Argument<FileInfo> FileArgument() => Given.File("file", "The sweep: YAML or JSON, as docs/sweeps.md shows it.");

    private static Command Submit()
    {
        var file = FileArgument();
        var command = new Command("submit", "Begin a sweep.") { file };
        ClientCommand.Bind(command, async (parsed, api, output, stop) => output.Show(
            await api.PostAsync<SweepSummary>("sweeps", RunsCommand.ReadSpec(parsed.GetRequiredValue(file)), stop, key: Guid.NewGuid().ToString()),
            s => output.Line($"s-{s.Number}  {s.Name}  {Text.Count(s.Trials)} trials")));
        return command;
    }

    private static Command Check()
    {
        var file = FileArgument();
        var command = new Command("check", "Say what is wrong with a sweep, or what it would train, and begin nothing.") { file };
        ClientCommand.Bind(command, async (parsed, api, output, stop) =>
        {
            var validation = await api.PostAsync<SweepValidation>("sweeps/validate", RunsCommand.ReadSpec(parsed.GetRequiredValue(file)), stop);
            output.Show(validation, v => output.Line(v.Errors.Count > 0
                ? string.Join(Environment.NewLine, v.Errors.Select(e => $"{e.Field}: {e.Message}"))
                : $"{Text.Count(v.Trials!.Value)} trials, rungs at step {string.Join(", ", v.Rungs!.Select(r => Text.Count(r)))}: about {Text.Count(v.Tokens!.Value)} tokens, {Text.Count(v.TokensOfAll!.Value)} if all trained to the end"));
            return validation.Errors.Count > 0 ? ExitCodes.BadInput : ExitCodes.Done;
        });
        return command;
    }

    private static Command List()
    {
        var command = new Command("list", "The newest sweeps.");
        ClientCommand.Bind(command, async (_, api, output, stop) => output.Show(
            await api.GetAsync<IReadOnlyList<SweepSummary>>("sweeps", stop),
            all => output.Table(["sweep", "name", "state", "trials", "training", "best", "value"], all.Select(Row))));
        return command;
    }

    private static Command Show()
    {
        var sweep = SweepArgument();
        var command = new Command("show", "One sweep with its trials and the last that was decided.") { sweep };
        ClientCommand.Bind(command, async (parsed, api, output, stop) => output.Show(
            await api.GetAsync<SweepDetail>($"sweeps/{Uri.EscapeDataString(parsed.GetRequiredValue(sweep))}", stop),
            d =>
            {
                output.Table(["sweep", "name", "state", "trials", "training", "best", "value"], [Row(d.Summary)]);
                output.Table(["trial", "run", "status", "step", d.Summary.Metric, "setting"], d.Trials.Select(t => new[]
                {
                    Text.Count(t.Number), t.RunNumber is { } run ? $"r-{run}" : "", Text.Word(t.Status), $"{Text.Count(t.Step)} of {Text.Count(t.RungStep)}", Number(t.Results.Count > 0 ? t.Results[^1].Value : null), Setting(t.Setting),
                }));
                foreach (var decision in d.Decisions.Take(Decisions).Reverse())
                {
                    output.Line($"{decision.At.ToLocalTime():MM-dd HH:mm:ss}  {decision.Sentence}");
                }
            }));
        return command;
    }

    private static Command Cancel()
    {
        var sweep = SweepArgument();
        var command = new Command("cancel", "End a sweep and the runs of its trials.") { sweep };
        ClientCommand.Bind(command, async (parsed, api, output, stop) => output.Show(
            await api.PostAsync<SweepAction>($"sweeps/{Uri.EscapeDataString(parsed.GetRequiredValue(sweep))}/cancel", null, stop), a => output.Line(Text.Word(a.State))));
        return command;
    }

    private static string[] Row(SweepSummary s) =>
        [$"s-{s.Number}", s.Name, Text.Word(s.State), $"{Text.Count(s.Started)} of {Text.Count(s.Trials)}", Text.Count(s.Training), s.BestTrial is { } best ? $"trial {best}" : "", Number(s.BestValue)];

    private static string Number(double? value) => value?.ToString("0.####", CultureInfo.InvariantCulture) ?? "";

    private static string Setting(JsonElement setting) =>
        string.Join(", ", setting.EnumerateObject().Select(f => $"{f.Name} {(f.Value.ValueKind == JsonValueKind.Number ? f.Value.GetDouble().ToString("G4", CultureInfo.InvariantCulture) : f.Value.ToString())}"));
}
