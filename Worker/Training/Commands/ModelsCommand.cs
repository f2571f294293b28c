using System.Globalization;
using System.Text.Json;
using Hearth.Models;
using Hearth.Runs;

namespace Hearth.Training.Commands;

/// <summary><c>models</c>: every family and size with parameters and the least memory that training one row takes.</summary>
internal static class ModelsCommand
{
    public static int Run(ReadOnlySpan<string> args)
    {
        Arguments.Parse(args, [], []);
        Console.WriteLine($"{"family",-12}{"size",-8}{"parameters",16}{"longest",10}{"GFLOP/token",14}{"GB at 1 row, fp32",20}");
        foreach (var family in Families.All)
        {
            foreach (string size in family.Sizes)
            {
                var plan = family.Plan(size, new Dictionary<string, JsonElement>(), new List<FieldError>())!;
                int length = Math.Min(plan.MaxSeqLen, 1024);
                double gigabytes = MemoryForecast.Of(plan, 1, length, "fp32").Total / (double)(1L << 30);
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{family.Name,-12}{size,-8}{plan.Parameters,16:N0}{plan.MaxSeqLen,10:N0}{plan.FlopsPerToken(length) / 1e9,14:0.000}{gigabytes,20:0.00}"));
            }
        }

        return ExitCodes.Done;
    }
}
