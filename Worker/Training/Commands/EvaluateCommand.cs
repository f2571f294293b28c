using System.Globalization;
using System.Text.Json;
using Hearth.Runs;
using Hearth.Tokenizers;
using Hearth.Training.Chat;
using Hearth.Training.Data;
using Hearth.Training.Evaluation;

namespace Hearth.Training.Commands;

/// <summary>
/// <c>evaluate CHECKPOINT</c>: how well a checkpoint predicts a dataset's texts or conversations (<c>--data</c>), or how often it finds the right one of several
/// answers (<c>--choices</c>).
/// </summary>
internal static class EvaluateCommand
{
    private const string Data = "--data", Choices = "--choices", SeqLen = "--seq-len", Rows = "--rows", AsJson = "--json";
    private const int UsualLength = 1024;

    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, [Data, Choices, SeqLen, Rows, DeviceOptions.Device, DeviceOptions.Threads], [AsJson]);
        if (arguments.Words is not [var folder])
        {
            throw new BadInputException($"evaluate has {arguments.Words.Count} folders. Allowed: evaluate CHECKPOINT {Data} PATH, or {Choices} FILE.");
        }

        string? data = arguments.Text(Data), choices = arguments.Text(Choices);
        if ((data is null) == (choices is null))
        {
            throw new BadInputException($"{Data} and {Choices} are both {(data is null ? "missing" : "given")}. Allowed: one of them.");
        }

        if (choices is not null && !File.Exists(choices))
        {
            throw new BadInputException($"{Choices} is {choices}, where no file is.");
        }

        var trained = TrainedModel.Load(folder, DeviceOptions.Apply(arguments));
        int most = trained.Model.Plan.MaxSeqLen, length = arguments.Integer(SeqLen, Math.Min(UsualLength, most), 2, most);
        int rows = arguments.Integer(Rows, 8, 1, 4096);
        using var control = new TrainerControl();
        using var signals = new StopSignals(control);
        var (result, words) = data is not null ? Score(trained, data, length, rows, control) : Choose(trained, choices!, length, control);
        Console.WriteLine(arguments.Has(AsJson) ? JsonSerializer.Serialize(result, Json.Pretty) : words);
        return ExitCodes.Done;
    }

    private static (object Result, string Words) Score(TrainedModel trained, string path, int length, int rows, TrainerControl control)
    {
        try
        {
            // A dataset is of one kind: its first document says which.
            bool chat = Documents.Read(path).First().Turns is not null;
            var encoder = new DocumentEncoder(trained.Tokenizer, chat ? trained.Tuning ?? new SftSpec() : null);
            var score = new TextScore();
            long documents = 0, left = 0;
            var encoded = Documents.Read(path).Select(document =>
            {
                control.ThrowIfStopped();
                documents++;
                var one = encoder.Encode(document, new LongStep(null, control.StopToken));
                left += one.Fault is null ? 0 : 1;
                return one;
            });
            foreach (var batch in ScoredRows.Of(encoded, length, rows, trained.Tokenizer.EndToken))
            {
                control.ThrowIfStopped();
                score.Add(trained.Model, trained.Tokenizer, batch);
            }

            return score.Targets == 0
                ? throw new BadInputException($"{path} has no token to predict. Allowed: texts of two tokens and more, or conversations with an assistant.")
                : Told(score, documents, left);
        }
        catch (Exception e) when (e is DatasetException or TokenizerException or ChatException)
        {
            throw new BadInputException(e.Message);
        }
    }

    private static (object Result, string Words) Told(TextScore score, long documents, long left)
    {
        double? error = double.IsFinite(score.StandardError) ? score.StandardError : null, bits = double.IsFinite(score.BitsPerByte) ? score.BitsPerByte : null;
        string words = string.Create(
            CultureInfo.InvariantCulture,
            $"{score.Loss:0.0000}{(error is { } e ? $" ± {e:0.0000}" : "")} nats/token  perplexity {Math.Exp(score.Loss):0.000}  {bits:0.0000} bits/byte  {score.Targets:#,0} tokens of {documents:#,0} documents{(left > 0 ? $", {left:#,0} left out" : "")}");
        return (new { score.Loss, StandardError = error, Perplexity = Math.Exp(score.Loss), BitsPerByte = bits, Tokens = score.Targets, score.Bytes, Documents = documents, LeftOut = left }, words);
    }

    private static (object Result, string Words) Choose(TrainedModel trained, string path, int length, TrainerControl control)
    {
        long items = 0, right = 0;
        double chance = 0;
        foreach (var item in ChoiceItem.Read(path))
        {
            control.ThrowIfStopped();
            items++;
            chance += 1.0 / item.Choices.Count;
            right += item.Likeliest(trained.Model, trained.Tokenizer, length) == item.Answer ? 1 : 0;
        }

        if (items == 0)
        {
            throw new BadInputException($"{path} has no item. Allowed: a JSON line an item, with prompt, choices and answer.");
        }

        double share = right / (double)items, error = Math.Sqrt(share * (1 - share) / items);
        string words = string.Create(CultureInfo.InvariantCulture, $"{share:0.000} ± {error:0.000} right  {right:#,0} of {items:#,0}  by chance {chance / items:0.000}");
        return (new { Accuracy = share, StandardError = error, Right = right, Items = items, Chance = chance / items }, words);
    }
}
