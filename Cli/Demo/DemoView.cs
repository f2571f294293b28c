using System.Diagnostics;
using Hearth.Api;
using Hearth.Runs;
using Spectre.Console;

namespace Hearth.Cli.Demo;

/// <summary>The demo on the terminal: a progress bar where there is one to draw on, plain lines elsewhere.</summary>
internal interface IDemoView
{
    void Say(string text);

    /// <summary>Shows a run while a body waits for it.</summary>
    Task ShowAsync(string title, Func<Action<RunProgress>, Task> body);
}

/// <summary>Where a run is.</summary>
internal sealed record RunProgress(long Step, long TotalSteps, double? Loss, double? TokensPerSecond, string State)
{
    public static RunProgress Of(RunDetail run) => new(
        run.Summary.Step,
        run.Summary.TotalSteps,
        run.Summary.Loss,
        run.Summary.TokensPerSecond,
        run.Summary.State == RunState.Starting && run.Summary.StartingWhat is { } what ? what : Text.Word(run.Summary.State));

    public string Words => $"step {Text.Count(Step)}/{Text.Count(TotalSteps)}  loss {Text.Loss(Loss)}  {Text.Speed(TokensPerSecond)}  {State}";
}

internal static class DemoViews
{
    public static IDemoView ForTerminal() => Console.IsOutputRedirected ? new PlainView(Console.Out) : new BarView();

    private sealed class PlainView(TextWriter writer) : IDemoView
    {
        private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

        public void Say(string text)
        {
            writer.WriteLine(text);
            writer.Flush();
        }

        public async Task ShowAsync(string title, Func<Action<RunProgress>, Task> body)
        {
            long last = 0;
            string state = "";
            await body(progress =>
            {
                if (progress.State != state || Stopwatch.GetElapsedTime(last) > Interval)
                {
                    (last, state) = (Stopwatch.GetTimestamp(), progress.State);
                    Say($"{title}: {progress.Words}");
                }
            });
        }
    }

    private sealed class BarView : IDemoView
    {
        public void Say(string text) => AnsiConsole.MarkupLineInterpolated($"{text}");

        public Task ShowAsync(string title, Func<Action<RunProgress>, Task> body) => AnsiConsole.Progress()
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn())
            .StartAsync(async context =>
            {
                var bar = context.AddTask(Markup.Escape(title));
                await body(progress =>
                {
                    bar.MaxValue = Math.Max(1, progress.TotalSteps);
                    bar.Value = progress.Step;
                    bar.Description = Markup.Escape($"{title}  {progress.Words}");
                });
            });
    }
}
