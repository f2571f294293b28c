using Hearth.Models;
using Hearth.Training.Checkpoints;
using Hearth.Training.Data;
using TorchSharp;

namespace Hearth.Training.Commands;

/// <summary><c>generate</c>: streams a continuation of a prompt from a checkpoint folder.</summary>
internal static class GenerateCommand
{
    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, ["--checkpoint", "--prompt", "--max-tokens", "--temperature", "--top-k", "--seed", "--device", "--threads"], []);
        string folder = arguments.Required("--checkpoint");
        string prompt = arguments.Required("--prompt");
        var how = new Sampling(
            arguments.Number("--temperature", 0.8, 0, 10),
            arguments.Integer("--top-k", 50, 0, 1 << 20),
            (ulong)arguments.Integer("--seed", 0, 0, int.MaxValue));
        int threads = arguments.Integer("--threads", 0, 0, 1024);
        if (threads > 0)
        {
            torch.set_num_threads(threads);
        }

        CheckpointFolder.Verify(folder);
        var config = CheckpointFolder.ReadJson<CheckpointConfig>(folder, CheckpointFolder.ConfigName);
        var errors = new List<Runs.FieldError>();
        var plan = Families.Plan(config.Run.Model, errors) ?? throw new BadInputException(string.Join(" ", errors.Select(e => e.Message)));
        using var scope = torch.NewDisposeScope();
        var model = plan.Build(torch.float32, torch.device(arguments.Text("--device") ?? "cpu"), 0);
        TensorFile.Load(CheckpointFolder.ExportPath(folder), [.. model.named_parameters()]);
        var tokenizer = BpeTokenizer.Load(Path.Combine(folder, CheckpointFolder.TokenizerName));
        int[] ids = tokenizer.Encode(prompt);
        if (ids.Length == 0)
        {
            throw new BadInputException("--prompt is empty. Allowed: at least one character.");
        }

        Console.Write(prompt);
        int end = tokenizer.Special(BpeTrainer.EndToken);
        var text = new List<int>();
        string shown = "";
        foreach (int id in Sampler.Generate(model, ids, arguments.Integer("--max-tokens", 128, 1, 1 << 20), how).TakeWhile(id => id != end))
        {
            // A character may span tokens, so only whole text that is new is printed.
            text.Add(id);
            string now = tokenizer.Decode(text).TrimEnd('\uFFFD');
            if (now.Length > shown.Length && now.StartsWith(shown, StringComparison.Ordinal))
            {
                Console.Write(now[shown.Length..]);
                shown = now;
            }
        }

        Console.WriteLine();
        return ExitCodes.Done;
    }
}
