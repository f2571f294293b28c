using Hearth.Protocol;
using Hearth.Training.Protocol;

namespace Hearth.Training.Commands;

/// <summary><c>prepare</c>: tokenises a spec's dataset once and prints the folder.</summary>
internal static class PrepareCommand
{
    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, ["--spec", "--data", "--out"], []);
        var spec = Specs.ReadFile(arguments.Required("--spec"));
        string output = Path.GetFullPath(arguments.Text("--out") ?? Path.Combine("runs", spec.Name, "data"));
        var errors = new List<Runs.FieldError>();
        var plan = Models.Families.Plan(spec.Model, errors) ?? throw new BadInputException(string.Join(" ", errors.Select(e => e.Message)));
        var job = new TrainerJob
        {
            Spec = spec,
            DatasetPath = Path.GetFullPath(arguments.Text("--data") ?? spec.Data.Dataset),
            CachePath = output,
            WorkPath = output,
            StartPath = spec.StartFrom.Length > 0 ? Path.GetFullPath(spec.StartFrom) : null,
        };
        using var control = new TrainerControl();
        using var signals = new StopSignals(control);
        try
        {
            using var data = ShardData.Open(job, plan.VocabSize, new HumanSink(Console.Out, TimeProvider.System), control);
            return ExitCodes.Done;
        }
        catch (OperationCanceledException) when (control.StopRequested)
        {
            Console.Error.WriteLine($"hearth-trainer: stopped ({control.StopReason}); nothing was prepared.");
            return ExitCodes.Stopped;
        }
    }
}
