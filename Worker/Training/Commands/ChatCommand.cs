using Hearth.Models;
using Hearth.Training.Chat;
using TorchSharp;

namespace Hearth.Training.Commands;

/// <summary><c>chat CHECKPOINT</c>: a conversation over standard input, one turn a line, answers as they come.</summary>
internal static class ChatCommand
{
    private const string Think = "--think";

    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, ["--system", "--category", "--max-tokens", "--temperature", "--top-k", "--top-p", ExitArguments.Threshold, ExitArguments.Rule, "--seed", DeviceOptions.Device, DeviceOptions.Threads], [Think, ExitArguments.LazyPrefill]);
        if (arguments.Words is not [var folder])
        {
            throw new BadInputException($"chat has {arguments.Words.Count} folders. Allowed: chat CHECKPOINT.");
        }

        var how = new Sampling(arguments.Number("--temperature", 0.8, 0, 10), arguments.Integer("--top-k", 50, 0, 1 << 20), (ulong)arguments.Integer("--seed", 0, 0, int.MaxValue))
        {
            TopP = arguments.Number("--top-p", 1, 0, 1),
        };
        int limit = arguments.Integer("--max-tokens", 128, 1, 1 << 20);
        var device = DeviceOptions.Apply(arguments);
        using var scope = torch.NewDisposeScope();
        var trained = TrainedModel.Load(folder, device);
        how = how with { Exit = ExitArguments.Read(trained.Model, arguments) };
        Notices.Print(trained.Model);
        using var conversation = new Conversation(trained, ChatTemplates.For(trained.Tokenizer, arguments.Text("--category"), arguments.Has(Think)), how, arguments.Text("--system"));
        while (Console.In.ReadLine() is { } line)
        {
            if (line.Trim().Length == 0)
            {
                continue;
            }

            foreach (string piece in conversation.Say(line, limit))
            {
                Console.Write(piece);
            }

            Console.WriteLine();
        }

        return ExitCodes.Done;
    }
}
