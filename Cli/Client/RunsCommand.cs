using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Hearth.Api;
using Hearth.Runs;

namespace Hearth.Cli.Client;

/// <summary><c>runs</c>: submit, watch and steer runs.</summary>
internal static class RunsCommand
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(500);

    public static Command Create() => ClientCommand.Group(
        "runs",
        "Submit, watch and steer runs.",
        List(),
        Show(),
        TrainerProgram.Forward("new", "Print the run that a family recommends, as YAML to edit and submit: new FAMILY SIZE --dataset NAME.", ["recipe"]),
        Submit(),
        Verb("cancel", "End a run at once, without a checkpoint."),
        Verb("pause", "Checkpoint a run and keep it out of the queue until it is resumed."),
        Verb("resume", "Put a paused run back into the queue."),
        RunGenerate.Create(RunArgument()),
        Logs(),
        Checkpoints());

    private static Argument<string> RunArgument() => new("run") { Description = "A run's number (r-17), id or name; of several of one name the newest." };

    private static Command List()
    {
        var state = new Option<string>("--state") { Description = "States, comma separated, such as queued,running." };
        var text = new Option<string>("--search") { Description = "Words of the name or tags." };
        var limit = Given.Number("--limit", "Most rows.", 20);
        var command = new Command("list", "The newest runs.") { state, text, limit };
        ClientCommand.Bind(command, async (parsed, api, output, stop) =>
        {
            string query = Query(("state", parsed.GetValue(state)), ("q", parsed.GetValue(text)), ("limit", parsed.GetValue(limit).ToString(CultureInfo.InvariantCulture)));
            var page = await api.GetAsync<Page<RunSummary>>("runs" + query, stop);
            return output.Show(page, p =>
            {
                output.Table(["run", "name", "state", "step", "loss", "speed", "device"], p.Items.Select(Row));
                output.Line($"{p.Items.Count} of {Text.Count(p.Total)}");
            });
        });
        return command;
    }

    private static Command Show()
    {
        var run = RunArgument();
        var command = new Command("show", "One run with its attempts and what happened to it.") { run };
        ClientCommand.Bind(command, async (parsed, api, output, stop) =>
        {
            var detail = await api.GetAsync<RunDetail>($"runs/{await RunNames.FindAsync(api, parsed.GetRequiredValue(run), stop)}", stop);
            return output.Show(detail, d => Describe(output, d));
        });
        return command;
    }

    private static Command Submit()
    {
        var file = Given.File("file", "The run: YAML or JSON.");
        var command = new Command("submit", "Submit a run.") { file };
        ClientCommand.Bind(command, async (parsed, api, output, stop) =>
        {
            var spec = ReadSpec(parsed.GetRequiredValue(file));
            var run = await api.PostAsync<RunSummary>("runs", new SubmitRun(spec), stop, key: Guid.NewGuid().ToString());
            return output.Show(run, r => output.Line($"r-{r.Number}  {r.Name}  {Text.Word(r.State)}"));
        });
        return command;
    }

    private static Command Verb(string verb, string description)
    {
        var run = RunArgument();
        var command = new Command(verb, description) { run };
        ClientCommand.Bind(command, async (parsed, api, output, stop) =>
        {
            var id = await RunNames.FindAsync(api, parsed.GetRequiredValue(run), stop);
            var action = await api.PostAsync<RunAction>($"runs/{id}/{verb}", null, stop);
            return output.Show(action, a => output.Line(Text.Word(a.State)));
        });
        return command;
    }

    private static Command Logs()
    {
        var run = RunArgument();
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on until the run has ended." };
        var command = new Command("logs", "What the run's trainers said.") { run, follow };
        ClientCommand.Bind(command, async (parsed, api, output, stop) =>
        {
            var id = await RunNames.FindAsync(api, parsed.GetRequiredValue(run), stop);
            long? after = null;
            while (true)
            {
                // Asked before the lines are read, so that none that came before the end is missed.
                bool over = !parsed.GetValue(follow) || (await api.GetAsync<RunDetail>($"runs/{id}", stop)).Summary.State.IsTerminal();
                after = await PrintLogsAsync(api, output, id, after, stop);
                if (over)
                {
                    return ExitCodes.Done;
                }

                await Task.Delay(Look, stop);
            }
        });
        return command;
    }

    private static Command Checkpoints()
    {
        var run = RunArgument();
        var command = new Command("checkpoints", "The run's checkpoints.") { run };
        ClientCommand.Bind(command, async (parsed, api, output, stop) =>
        {
            var detail = await api.GetAsync<RunDetail>($"runs/{await RunNames.FindAsync(api, parsed.GetRequiredValue(run), stop)}", stop);
            return output.Show(detail.Checkpoints, all => output.Table(
                ["step", "status", "bytes", "pause", "trace", "id"],
                all.Select(c => new[] { Text.Count(c.Step), c.Status, Text.Bytes(c.Bytes), Text.Milliseconds(c.PauseSeconds), c.Trace, c.Id.ToString() })));
        });
        return command;
    }

    private static async Task<long?> PrintLogsAsync(ApiClient api, Output output, Guid run, long? after, CancellationToken stop)
    {
        while (true)
        {
            var logs = await api.GetAsync<LogsResponse>($"runs/{run}/logs" + Query(("after", after?.ToString(CultureInfo.InvariantCulture)), ("limit", "1000")), stop);
            foreach (var line in logs.Lines)
            {
                output.Line(output.IsJson ? JsonSerializer.Serialize(line, Json.Wire) : $"{line.At.ToLocalTime():HH:mm:ss.fff} {Text.Word(line.Level),-7} {line.Text}");
                after = line.Id;
            }

            if (logs.Next is null || logs.Lines.Count == 0)
            {
                return after;
            }
        }
    }

    /// <exception cref="CliException">The file is missing, or no YAML.</exception>
    internal static JsonElement ReadSpec(FileInfo file)
    {
        if (!file.Exists)
        {
            throw new CliException($"There is no file {file}.", ExitCodes.BadInput);
        }

        try
        {
            return JsonSerializer.SerializeToElement(YamlFile.Read(file.FullName), Json.Wire);
        }
        catch (InvalidDataException e)
        {
            throw new CliException(e.Message, ExitCodes.BadInput);
        }
    }

    private static string[] Row(RunSummary run) =>
    [
        $"r-{run.Number}", run.Name, Text.Word(run.State), $"{Text.Count(run.Step)}/{Text.Count(run.TotalSteps)}",
        Text.Loss(run.Loss), Text.Speed(run.TokensPerSecond), run.Device ?? run.Reason ?? "",
    ];

    private static void Describe(Output output, RunDetail run)
    {
        var summary = run.Summary;
        output.Table(["run", "name", "state", "step", "loss", "speed", "device"], [Row(summary)]);
        output.Line($"{summary.Family} {summary.Size} on {summary.Dataset}, {Text.Count(summary.Tokens)} tokens, trace {run.Trace ?? "–"}");
        if (summary.Reason is { } reason)
        {
            output.Line(reason);
        }

        output.Line("");
        output.Table(
            ["attempt", "state", "device", "steps", "memory", "message"],
            run.Attempts.Select(a => new[] { Text.Count(a.Number), Text.Word(a.State), a.Device, $"{Text.Count(a.FirstStep)} to {Text.Count(a.LastStep)}", Text.Memory(a.ForecastBytes, a.PeakBytes), a.Message ?? "" }));
        foreach (var note in run.Notes)
        {
            output.Line($"{note.At.ToLocalTime():HH:mm:ss}  {note.Text}");
        }
    }

    private static string Query(params (string Key, string? Value)[] values)
    {
        string text = string.Join('&', values.Where(v => !string.IsNullOrEmpty(v.Value)).Select(v => $"{v.Key}={Uri.EscapeDataString(v.Value!)}"));
        return text.Length == 0 ? "" : "?" + text;
    }
}

/// <summary>Finds a run by what a person calls it.</summary>
internal static class RunNames
{
    /// <exception cref="CliException">No run is called that.</exception>
    public static async Task<Guid> FindAsync(ApiClient api, string name, CancellationToken stop)
    {
        if (Guid.TryParse(name, out var id))
        {
            return id;
        }

        string? cursor = null;
        do
        {
            var page = await api.GetAsync<Page<RunSummary>>("runs?limit=100" + (cursor is null ? "" : "&cursor=" + Uri.EscapeDataString(cursor)), stop);
            if (page.Items.FirstOrDefault(r => IsCalled(r, name)) is { } run)
            {
                return run.Id;
            }

            cursor = page.Next;
        }
        while (cursor is not null);
        throw new CliException($"No run is called {name}. Allowed: a number such as r-17, an id, or a name of ./hearth runs list.", ExitCodes.BadInput);
    }

    private static bool IsCalled(RunSummary run, string name) =>
        run.Name == name || string.Equals($"r-{run.Number}", name, StringComparison.OrdinalIgnoreCase) || run.Number.ToString(CultureInfo.InvariantCulture) == name;
}
