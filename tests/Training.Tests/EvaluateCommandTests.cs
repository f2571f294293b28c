using System.Text.Json;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Tokenizers;
using Hearth.Training.Evaluation;
using TorchSharp;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary><c>evaluate</c> as it is typed, against sums over the model's logits in this process.</summary>
public sealed class EvaluateCommandTests : CheckpointTest
{
    private static readonly string[] Texts = ["the cat sat on a mat and saw two red birds", "birds fly over the hills", "a mat"];

    [Theory]
    [InlineData("qovaryx", 12, 2)]
    [InlineData("qovaryx", 7, 3)]
    [InlineData("hybrid", 256, 8)]
    public void Texts_are_scored_end_to_end_with_every_token_but_the_first_a_target(string family, int length, int rows)
    {
        var (model, checkpoint) = Checkpoint(family);
        var tokenizer = TrainedModel.Load(checkpoint, torch.CPU).Tokenizer;
        File.WriteAllLines(At("texts.jsonl"), Texts.Select(t => JsonSerializer.Serialize(new { text = t })));

        var said = Evaluate(checkpoint, "--data", At("texts.jsonl"), "--seq-len", $"{length}", "--rows", $"{rows}");

        int[] stream = [.. Texts.SelectMany(t => (int[])[.. tokenizer.Encode(t), tokenizer.EndToken])];
        double nats = 0;
        for (int start = 0; start < stream.Length - 1; start += length - 1)
        {
            int[] row = stream[start..Math.Min(stream.Length, start + length)];
            nats += Nats(model, row, from: 1);
        }

        Assert.Equal(nats / (stream.Length - 1), said.GetProperty("loss").GetDouble(), 1e-4);
        Assert.Equal((stream.Length - 1, 3), (said.GetProperty("tokens").GetInt32(), said.GetProperty("documents").GetInt32()));
        int bytes = Enumerable.Range(1, stream.Length - 1).Sum(i => tokenizer.ByteCount(stream[i], stream[i - 1]));
        Assert.Equal(nats / Math.Log(2) / bytes, said.GetProperty("bits_per_byte").GetDouble(), 1e-3);
    }

    [Fact]
    public void Of_conversations_the_assistants_turns_are_scored()
    {
        var (model, checkpoint) = Checkpoint("qovaryx");
        var tokenizer = TrainedModel.Load(checkpoint, torch.CPU).Tokenizer;
        File.WriteAllLines(At("chats.jsonl"), Texts.Select(t => JsonSerializer.Serialize(new { messages = new[] { new { role = "user", content = "say" }, new { role = "assistant", content = t } } })));

        var said = Evaluate(checkpoint, "--data", At("chats.jsonl"), "--rows", "2");

        var chats = Texts.Select(t => Chat.ChatTokens.Row(tokenizer, Chat.ChatTemplates.Tuned(tokenizer, new Runs.SftSpec()), [Chat.ChatMessage.Of("user", "say"), Chat.ChatMessage.Of("assistant", t)])).ToList();
        double nats = chats.Sum(c => Nats(model, c.Ids, at => c.FromAssistant[at]));
        Assert.Equal(chats.Sum(c => c.FromAssistant.Count(of => of)), said.GetProperty("tokens").GetInt32());
        Assert.Equal(nats / said.GetProperty("tokens").GetInt32(), said.GetProperty("loss").GetDouble(), 1e-4);
    }

    [Fact]
    public void The_likeliest_choice_is_that_of_fewest_nats_per_byte()
    {
        var (model, checkpoint) = Checkpoint("qovaryx");
        var tokenizer = TrainedModel.Load(checkpoint, torch.CPU).Tokenizer;
        var items = Texts.Select(t => (Prompt: t[..^5], Choices: new[] { t[^5..], " the hills", " cat" })).ToList();
        int[] best = [.. items.Select(item => item.Choices.Index().MinBy(c =>
        {
            // Behind an empty prompt a choice begins a document.
            int[] prompt = item.Prompt.Length == 0 ? [tokenizer.EndToken] : tokenizer.Encode(item.Prompt), own = tokenizer.EncodeAfter(item.Prompt, c.Item);
            return Nats(model, [.. prompt, .. own], from: prompt.Length) / c.Item.Length;
        }).Index)];
        File.WriteAllLines(At("choices.jsonl"), items.Zip(best, (item, answer) => JsonSerializer.Serialize(new { prompt = item.Prompt, choices = item.Choices, answer })));
        File.AppendAllText(At("choices.jsonl"), JsonSerializer.Serialize(new { prompt = items[0].Prompt, choices = items[0].Choices, answer = (best[0] + 1) % 3 }));

        var said = Evaluate(checkpoint, "--choices", At("choices.jsonl"));

        Assert.Equal((3, 4, 0.75), (said.GetProperty("right").GetInt32(), said.GetProperty("items").GetInt32(), said.GetProperty("accuracy").GetDouble()));
        Assert.Equal(Math.Sqrt(0.75 * 0.25 / 4), said.GetProperty("standard_error").GetDouble(), 1e-12);
    }

    [Fact]
    public void The_standard_error_is_that_of_a_mean_where_batches_are_of_one_size_and_nothing_of_a_single_one()
    {
        var model = SmallCheckpoint.Model("qovaryx");
        var tokenizer = SmallCheckpoint.Tokenizer("byte_bpe");
        int[][] rows = [[5, 9, 30, 1], [8, 8, 8, 8], [2, 60, 90, 200], [7, 1, 2, 3]];
        var score = new TextScore();
        score.Add(model, tokenizer, new TrainingRows(rows[0], rows[0], 4));
        Assert.True(double.IsNaN(score.StandardError));
        foreach (int[] row in rows[1..])
        {
            score.Add(model, tokenizer, new TrainingRows(row, row, 4));
        }

        double[] means = [.. rows.Select(row => Nats(model, row, from: 1) / 3)];
        double deviation = Math.Sqrt(means.Sum(m => Math.Pow(m - means.Average(), 2)) / 3);
        Assert.Equal(deviation / 2, score.StandardError, 1e-4);
    }

    [Theory]
    [InlineData("--data nowhere", "There is no file or folder nowhere.")]
    [InlineData("--choices nowhere", "--choices is nowhere, where no file is.")]
    [InlineData("", "--data and --choices are both missing. Allowed: one of them.")]
    [InlineData("--data a --choices b", "--data and --choices are both given. Allowed: one of them.")]
    [InlineData("--data a --seq-len 1", "--seq-len is 1. Allowed: 2 to 256.")]
    public void What_is_wrong_is_named_with_what_is_allowed(string words, string message)
    {
        var result = TrainerCommandLine.Run(["evaluate", Checkpoint("qovaryx").Folder, .. words.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);

        Assert.Equal((ExitCodes.BadInput, $"hearth-trainer: {message}"), (result.Exit, result.Errors.Trim()));
    }

    [Theory]
    [InlineData("{\"prompt\": \"a\", \"choices\": [\"b\"], \"answer\": 0}", "c.jsonl, line 1: prompt or choices is missing or empty. Allowed: a prompt, and 2 to 64 choices that are no empty text.")]
    [InlineData("{\"prompt\": \"a\", \"choices\": [\"b\", \"c\"], \"answer\": 2}", "c.jsonl, line 1: answer is 2. Allowed: 0 to 1.")]
    [InlineData("\nno json", "c.jsonl, line 2: no object with prompt, choices and answer.")]
    public void A_wrong_item_is_named_by_its_line(string text, string message)
    {
        File.WriteAllText(At("c.jsonl"), text);

        Assert.Equal(message, Assert.Throws<BadInputException>(() => ChoiceItem.Read(At("c.jsonl")).ToList()).Message);
    }

    private static JsonElement Evaluate(string checkpoint, params string[] words)
    {
        var result = TrainerCommandLine.Run(["evaluate", checkpoint, .. words, "--json"]);
        Assert.Equal((ExitCodes.Done, ""), (result.Exit, result.Errors));
        return JsonDocument.Parse(string.Join('\n', result.Lines)).RootElement;
    }

    private static double Nats(LanguageModel model, int[] ids, int from) => Nats(model, ids, at => at >= from);

    private static double Nats(LanguageModel model, int[] ids, Func<int, bool> counts)
    {
        using var quiet = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        var logs_TV = torch.nn.functional.log_softmax(model.Logits(torch.tensor(ids, 1, ids.Length).to(torch.int64)).to(torch.float64), -1).squeeze(0);
        return Enumerable.Range(1, ids.Length - 1).Where(counts).Sum(at => -logs_TV[at - 1, ids[at]].Number());
    }
}
