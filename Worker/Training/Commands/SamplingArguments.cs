using System.Globalization;
using Hearth.Models;

namespace Hearth.Training.Commands;

/// <summary>Options of <c>generate</c> and <c>chat</c> that say how tokens are chosen.</summary>
internal static class SamplingArguments
{
    private const string Temperature = "--temperature";
    private const string TopK = "--top-k";
    private const string TopP = "--top-p";
    private const string MinP = "--min-p";
    private const string Penalty = "--repetition-penalty";
    private const string Seed = "--seed";

    public static IReadOnlyList<string> Names { get; } = [Temperature, TopK, TopP, MinP, Penalty, Seed, ExitArguments.Threshold, ExitArguments.Rule];

    /// <exception cref="BadInputException">A value is out of its range, or the model's family refuses it.</exception>
    public static Sampling Read(LanguageModel model, Arguments arguments)
    {
        var how = new Sampling(arguments.Number(Temperature, 0.8, 0, 10), arguments.Integer(TopK, 50, 0, 1 << 20), (ulong)arguments.Integer(Seed, 0, 0, int.MaxValue))
        {
            TopP = arguments.Number(TopP, 1, 0, 1),
            MinP = arguments.Number(MinP, 0, 0, 1),
            RepetitionPenalty = arguments.Number(Penalty, 1, 0.1, 10),
            Exit = ExitArguments.Read(model, arguments),
        };
        double most = model.Plan.Decoding.MostTemperature;
        return how.Temperature <= most ? how
            : throw new BadInputException($"{Temperature} is {Number(how.Temperature)}. Allowed: 0 to {Number(most)} for {model.Plan.Title}.");
    }

    /// <summary>Refuses what speculation, which decodes greedily, cannot keep to.</summary>
    public static void RequireGreedy(Sampling how, string option)
    {
        if (how.Temperature != 0 || how.RepetitionPenalty != 1)
        {
            throw how.Temperature != 0
                ? new BadInputException($"{option} decodes greedily, and {Temperature} is {Number(how.Temperature)}. Allowed: 0.")
                : new BadInputException($"{option} decodes greedily, and {Penalty} is {Number(how.RepetitionPenalty)}. Allowed: 1.");
        }
    }

    private static string Number(double value) => value.ToString(CultureInfo.InvariantCulture);
}
