using System.Text.Json;
using Hearth.Models;
using Hearth.Tokenizers;

namespace Hearth.Training.Evaluation;

/// <summary>A question of which the model is to find one answer likelier than the others.</summary>
/// <param name="Prompt">What stands before.</param>
/// <param name="Choices">What may follow, two or more.</param>
/// <param name="Answer">The right one, from 0.</param>
public sealed record ChoiceItem(string Prompt, IReadOnlyList<string> Choices, int Answer)
{
    private const int MostChoices = 64;

    /// <summary>Items of a file of JSON lines with these fields.</summary>
    /// <exception cref="BadInputException">A line is none; names it, the field and what is allowed.</exception>
    public static IEnumerable<ChoiceItem> Read(string path)
    {
        foreach (var (number, line) in File.ReadLines(path).Index())
        {
            if (!string.IsNullOrWhiteSpace(line))
            {
                yield return Parse(line, $"{Path.GetFileName(path)}, line {number + 1}");
            }
        }
    }

    /// <summary>Which choice is likeliest by nats per byte of its text, so that long ones are not at a disadvantage; the first of equals.</summary>
    /// <param name="model">Any family.</param>
    /// <param name="tokenizer">Its own.</param>
    /// <param name="longest">Tokens of a row: of a longer prompt the beginning is left out.</param>
    public int Likeliest(LanguageModel model, ITokenizer tokenizer, int longest)
    {
        double[] nats = [.. Choices.Select(choice => TextScore.NatsOf(model, Row(tokenizer, choice, longest)) / System.Text.Encoding.UTF8.GetByteCount(choice))];
        return Array.IndexOf(nats, nats.Min());
    }

    // A first token is never predicted, so a prompt that comes to none begins with the end of a document before it.
    private TrainingRows Row(ITokenizer tokenizer, string choice, int longest)
    {
        int[] prompt = tokenizer.Encode(Prompt), own = tokenizer.EncodeAfter(Prompt, choice);
        prompt = prompt.Length == 0 ? [tokenizer.EndToken] : prompt;
        int[] ids = [.. prompt, .. own], labels = [.. Enumerable.Repeat(TrainingRows.Ignored, prompt.Length), .. own];
        int over = Math.Max(0, ids.Length - longest);
        return new TrainingRows(ids[over..], labels[over..], ids.Length - over);
    }

    private static ChoiceItem Parse(string line, string place)
    {
        ChoiceItem? item;
        try
        {
            item = JsonSerializer.Deserialize<ChoiceItem>(line, Json.Wire);
        }
        catch (JsonException)
        {
            throw new BadInputException($"{place}: no object with prompt, choices and answer.");
        }

        if (item?.Prompt is null || item.Choices is null || item.Choices.Any(string.IsNullOrEmpty) || item.Choices.Count is < 2 or > MostChoices)
        {
            throw new BadInputException($"{place}: prompt or choices is missing or empty. Allowed: a prompt, and 2 to {MostChoices} choices that are no empty text.");
        }

        return item.Answer >= 0 && item.Answer < item.Choices.Count
            ? item
            : throw new BadInputException($"{place}: answer is {item.Answer}. Allowed: 0 to {item.Choices.Count - 1}.");
    }
}
