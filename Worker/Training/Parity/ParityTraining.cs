using System.Text.Json;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Training.Optim;
using static TorchSharp.torch;

namespace Hearth.Training.Parity;

/// <summary>Optimizer steps of a case's recipes, and its results under a changed config.</summary>
public sealed partial class ParityRunner
{
    private void Recipes()
    {
        foreach (var (name, recipe) in _case.Train)
        {
            if (ParityRecipe.Read(recipe) is { } known)
            {
                Train(name, recipe, known);
            }
            else
            {
                _skipped.Add($"train.{name} ({recipe.GetProperty("kind").GetString()})");
            }
        }
    }

    private void Train(string name, JsonElement recipe, ParityRecipe how)
    {
        var run = new TrainingRun(_case.PlanOf(recipe), how, $"expect.train.{name}.loss", $"expect.train.{name}.grad_norm");
        Train($"train.{name}", run);
    }

    private void Train(string name, TrainingRun run)
    {
        using var scope = NewDisposeScope();
        var (losses, norms) = Trace(run, moved: false);
        string file = run.Losses;
        double[] expected = _file.Contains(file) ? _file.Read(file).HostArray<double>() : [];

        // Some cases end with the loss after the last step, others before it.
        losses = expected.Length == norms.Length ? losses[..^1] : losses;
        string kind = run.How.Optimizer.Name == "adamw8bit" ? ParityCase.EightBitKind : "train";
        double allowed = _case.Allowed(_dtypeName, kind);
        int comparable = losses.Length;
        if (losses.Zip(expected).Any(pair => !(Relative(pair.First, pair.Second) <= allowed)))
        {
            comparable = Comparable(losses, Trace(run, moved: true).Losses, allowed);
        }

        if (comparable < losses.Length)
        {
            _skipped.Add($"{name} from step {comparable} on (a few last bits of the weights move the loss by more than a tenth of what is allowed)");
        }

        Compare(kind, file, tensor(losses), comparable);
        Compare(kind, run.Norms, tensor(norms), comparable);
    }

    // A chaotic model multiplies every rounding at each step, until no digit of the loss is left to compare. How far that goes is
    // measured: steps that two runs a few last bits apart do not share are nobody's.
    private static int Comparable(double[] losses, double[] moved, double allowed)
    {
        int steps = 0;
        while (steps < losses.Length && Relative(moved[steps], losses[steps]) <= allowed / 10)
        {
            steps++;
        }

        return steps;
    }

    private (double[] Losses, double[] Norms) Trace(TrainingRun run, bool moved)
    {
        using var scope = NewDisposeScope();
        var model = Load(run.Plan);
        if (moved)
        {
            MoveLastBits(model);
        }

        var how = run.How;
        using var optimizer = Optimizer.Create(model, how.Optimizer);

        // Without batches of its own a recipe repeats the case's, and one loss follows the last step.
        bool own = _file.Contains("input.train.ids");
        long steps = own ? _inputs.Shape("input.train.ids")[0] : _inputs.Shape(run.Losses)[0] - 1;
        Tensor Batch(string name, long i) => own ? Ids($"input.train.{name}").select(0, i % steps) : Ids($"input.{name}");
        var losses = new double[steps + 1];
        var norms = new double[steps];
        for (long i = 0; i <= steps; i++)
        {
            using var inner = NewDisposeScope();
            optimizer.ClearGradients();
            var (loss, _) = Loss(model, Batch("ids", i), Batch("labels", i), _case.StepAt(i, how.Factor) with { Quantize = how.Quantize });
            losses[i] = loss.Total.Number();
            if (i < steps)
            {
                loss.Total.backward();
                norms[i] = optimizer.ClipGradNorm(how.Optimizer.GradClip);
                optimizer.Step(how.Factor);
            }
        }

        Free(model);
        return (losses, norms);
    }

    private void MoveLastBits(LanguageModel model)
    {
        using var quiet = no_grad();
        manual_seed(1);
        double step = 4 * (_dtype == float64 ? double.BitIncrement(1) - 1 : float.BitIncrement(1) - 1);
        foreach (var weight in model.Parameters)
        {
            weight.add_(weight.detach() * empty(weight.shape, _dtype).normal_().sign().to(_device) * step);
        }
    }

    // The same weights under a changed config: what that alone moves.
    private void Variants()
    {
        foreach (var (name, plan) in _case.Variants().Where(v => _file.Entries.Any(e => e.Name.StartsWith($"expect.{v.Name}.", StringComparison.Ordinal))))
        {
            using var scope = NewDisposeScope();
            var model = Load(plan);
            using (no_grad())
            {
                Compare("logits", $"expect.{name}.logits", model.TrainingLogits(Ids("input.ids"), FamilyCases.Of(plan.Family).Extras(_inputs)));
                Compare("loss", $"expect.{name}.total", Loss(model, Ids("input.ids"), Ids("input.labels"), _case.StepAt(_case.LossStep, 1)).Loss.Total);
            }

            Free(model);
            if (_file.Contains($"expect.{name}.train"))
            {
                Train($"{name}.train", new TrainingRun(plan, ParityRecipe.Read(_case.Train["adamw"])!, $"expect.{name}.train", $"expect.{name}.grad_norm"));
            }
        }
    }

    /// <summary>A recipe on a plan, and the names of what it must give.</summary>
    private sealed record TrainingRun(ModelPlan Plan, ParityRecipe How, string Losses, string Norms);
}
