using System.Globalization;
using System.Text.Json;
using Hearth.Models;
using Hearth.Runs;

namespace Hearth.Training.Commands;

/// <summary>
/// <c>models</c>: families and sizes with parameters, operations and the memory that training takes; <c>models describe</c>: the
/// tensor table of one. Nothing is allocated and libtorch is not loaded.
/// </summary>
internal static class ModelsCommand
{
    private const string AsJson = "--json";
    private const int UsualLength = 1024;
    private static readonly string[] Precisions = ["fp32", "bf16"];

    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, [ModelOverrides.Option, "--rows", "--seq-len"], [AsJson]);
        var settings = arguments.Texts(ModelOverrides.Option);
        switch (arguments.Words)
        {
            case ["describe", var family, var size]:
                Describe(ModelOverrides.Plan(family, size, settings), arguments.Has(AsJson));
                break;
            case ["describe", ..]:
                throw new BadInputException($"models {string.Join(' ', arguments.Words)} is not complete. Allowed: models describe FAMILY SIZE.");
            case [] when settings.Count > 0:
                throw new BadInputException($"{ModelOverrides.Option} is {settings[0]}, but no family is named. Allowed: with models FAMILY [SIZE].");
            case { Count: <= 2 }:
                List([.. Plans(arguments.Words, settings)], arguments);
                break;
            default:
                throw new BadInputException($"models {string.Join(' ', arguments.Words)} has too many words. Allowed: models [FAMILY [SIZE]], models describe FAMILY SIZE.");
        }

        return ExitCodes.Done;
    }

    private static IEnumerable<ModelPlan> Plans(IReadOnlyList<string> words, IReadOnlyList<string> settings) => words switch
    {
        [] => Families.All.SelectMany(family => family.Sizes.Select(size => ModelOverrides.Plan(family.Name, size, []))),
        [var family] => (Families.Find(family)?.Sizes ?? [""]).Select(size => ModelOverrides.Plan(family, size, settings)),
        _ => [ModelOverrides.Plan(words[0], words[1], settings)],
    };

    private static void List(IReadOnlyList<ModelPlan> plans, Arguments arguments)
    {
        int rows = arguments.Integer("--rows", 1, 1, 1 << 20), length = arguments.Integer("--seq-len", UsualLength, 1, 1 << 20);
        if (arguments.Has(AsJson))
        {
            Print(plans.Select(plan => Row(plan, rows, length)));
            return;
        }

        Console.WriteLine($"{"family",-12}{"size",-7}{"parameters",14}{"tokens a row",14}{"GFLOP/token",13}{string.Concat(Forecasts().Select(f => $"{$"{f.Precision} {f.Optimizer}",16}"))}");
        foreach (var plan in plans)
        {
            int tokens = Math.Min(plan.MaxSeqLen, length);
            string memory = string.Concat(Forecasts().Select(f => Invariant($"{Forecast(plan, rows, tokens, f).Total / (double)(1L << 30),16:0.00}")));
            Console.WriteLine(Invariant($"{plan.Family,-12}{plan.Size,-7}{plan.Parameters,14:N0}{tokens,14:N0}{plan.FlopsPerToken(tokens) / 1e9,13:0.000}{memory}"));
        }

        Console.WriteLine($"Memory in GB that training takes with a micro-batch of {rows} {(rows == 1 ? "row" : "rows")}; FLOP of a training step, forward and backward.");
    }

    private static object Row(ModelPlan plan, int rows, int length)
    {
        int tokens = Math.Min(plan.MaxSeqLen, length);
        return new
        {
            plan.Family,
            plan.Size,
            plan.Title,
            plan.Parameters,
            plan.VocabSize,
            plan.MaxSeqLen,
            Rows = rows,
            SeqLen = tokens,
            FlopsPerToken = plan.FlopsPerToken(tokens),
            Memory = Forecasts().Select(f => new { f.Precision, f.Optimizer, Bytes = Forecast(plan, rows, tokens, f) }),
        };
    }

    private static IEnumerable<(string Precision, string Optimizer)> Forecasts() => Precisions.SelectMany(p => OptimizerKinds.Names.Select(o => (p, o)));

    private static MemoryForecast Forecast(ModelPlan plan, int rows, int tokens, (string Precision, string Optimizer) how) =>
        MemoryForecast.Of(plan, rows, tokens, how.Precision, new OptimizerSpec { Name = how.Optimizer });

    private static void Describe(ModelPlan plan, bool json)
    {
        if (json)
        {
            Print(new
            {
                plan.Family,
                plan.Size,
                plan.Title,
                plan.Parameters,
                plan.Config,
                Tensors = plan.Tensors.Select(t => new { t.Name, t.Shape, t.Count, t.Group }),
            });
            return;
        }

        int width = Math.Max(40, plan.Tensors.Max(t => t.Name.Length) + 1);
        foreach (var tensor in plan.Tensors)
        {
            Console.WriteLine(Invariant($"{tensor.Name.PadRight(width)}{$"[{string.Join(", ", tensor.Shape)}]",-20}{tensor.Count,15:N0}"));
        }

        Console.WriteLine(Invariant($"total {plan.Parameters:N0}"));
    }

    private static void Print(object value) => Console.WriteLine(JsonSerializer.Serialize(value, Json.Pretty));

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
