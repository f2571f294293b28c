using Hearth.Training.Chat;
using TorchSharp;

namespace Hearth.Training.Commands;

/// <summary><c>chat CHECKPOINT</c>: a conversation over standard input, one turn a line, answers as they come.</summary>
internal static class ChatCommand
{
    private const string Think = "--think";

    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, ["--system", "--category", "--max-tokens", .. SamplingArguments.Names, DeviceOptions.Device, DeviceOptions.Threads], [Think, ExitArguments.LazyPrefill]);
        if (arguments.Words is not [var folder])
        {
            throw new BadInputException($"chat has {arguments.Words.Count} folders. Allowed: chat CHECKPOINT.");
        }

        int limit = arguments.Integer("--max-tokens", 128, 1, 1 << 20);
        var device = DeviceOptions.Apply(arguments);
        using var scope = torch.NewDisposeScope();
        var trained = TrainedModel.Load(folder, device);
        var how = SamplingArguments.Read(trained.Model, arguments);
        Notices.Print(trained.Model);
        using var conversation = new Conversation(trained, ChatTemplates.For(trained, arguments.Text("--category"), arguments.Has(Think)), how, arguments.Text("--system"));
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
