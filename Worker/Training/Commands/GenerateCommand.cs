using System.Globalization;
using Hearth.Models;
using Hearth.Tokenizers;
using Hearth.Training.Chat;
using Hearth.Training.Serving;
using TorchSharp;

namespace Hearth.Training.Commands;

/// <summary><c>generate</c>: streams continuations of prompts from a checkpoint or a published VUAF folder, one request after the other.</summary>
internal static class GenerateCommand
{
    private const string Speculative = "--speculative";
    private const string KeepMemory = "--keep-ring-memory";
    private const string FreezeMemory = "--freeze-ring-memory";
    private const string Think = "--think";

    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, ["--checkpoint", "--prompt", "--max-tokens", .. SamplingArguments.Names, "--device", "--threads", "--chat", "--system", "--category"], [Speculative, KeepMemory, FreezeMemory, Think, ExitArguments.LazyPrefill]);
        string folder = arguments.Required("--checkpoint");
        string[] prompts = [arguments.Required("--prompt"), .. arguments.Words];
        var device = DeviceOptions.Apply(arguments);

        using var scope = torch.NewDisposeScope();
        var (model, tokenizer) = TrainedModel.Load(folder, device);
        var how = SamplingArguments.Read(model, arguments);
        Notices.Print(model);
        SetMemory(model, arguments);
        var speculation = arguments.Has(Speculative) ? Speculate(model, how) : null;
        var template = Template(arguments);
        IReadOnlySet<int> stops = template is null ? new HashSet<int> { tokenizer.EndToken } : ChatTokens.Stops(tokenizer, template);
        int limit = arguments.Integer("--max-tokens", 128, 1, 1 << 20);
        foreach (string prompt in prompts)
        {
            int[] ids = template is null ? tokenizer.Encode(prompt) : ChatTokens.Prompt(tokenizer, template, Messages(arguments, prompt));
            if (ids.Length == 0)
            {
                throw new BadInputException("--prompt is empty. Allowed: at least one character.");
            }

            var loops = new List<int>();
            var text = speculation?.Generate(model, ids, limit, stops) ?? Sampler.GenerateSteps(model, ids, limit, how).Select(t => Noted(t, loops));
            Console.Write(template is null ? prompt : "");
            Print(tokenizer, ids, text.TakeWhile(id => !stops.Contains(id)));
            if (loops.Count > 0)
            {
                Console.Error.WriteLine($"loop steps: {string.Join(' ', loops)}");
            }

            if (speculation is { Stats: var stats })
            {
                Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{stats.AcceptanceLength:0.00} tokens a pass over {stats.Rounds} passes, {stats.Drafted} drafted"));
            }
        }

        return ExitCodes.Done;
    }

    private static int Noted(SampledToken token, List<int> loops)
    {
        if (token.LoopStep is { } step)
        {
            loops.Add(step);
        }

        return token.Token;
    }

    private static IChatTemplate? Template(Arguments arguments)
    {
        if (arguments.Text("--chat") is { } name)
        {
            return ChatTemplates.Create(name, arguments.Text("--category"), arguments.Has(Think));
        }

        string? alone = new[] { "--system", "--category" }.FirstOrDefault(option => arguments.Text(option) is not null) ?? (arguments.Has(Think) ? Think : null);
        return alone is null ? null : throw new BadInputException($"{alone} is set without --chat. Allowed: with --chat {string.Join(" or ", ChatTemplates.Names)}.");
    }

    private static ChatMessage[] Messages(Arguments arguments, string prompt) =>
        [.. arguments.Text("--system") is { } system ? [new ChatMessage(ChatRole.System, system)] : Array.Empty<ChatMessage>(), new ChatMessage(ChatRole.User, prompt)];

    private static void SetMemory(LanguageModel model, Arguments arguments)
    {
        if (model is IRingMemory memory)
        {
            memory.KeepRingMemory = arguments.Has(KeepMemory);
            memory.SetRingMemoryWriting(!arguments.Has(FreezeMemory));
        }
        else if (new[] { KeepMemory, FreezeMemory }.FirstOrDefault(arguments.Has) is { } flag)
        {
            throw new BadInputException($"{flag} is set, but {model.Plan.Title} has no memory between texts.");
        }
    }

    private static Speculation Speculate(LanguageModel model, Sampling how)
    {
        SamplingArguments.RequireGreedy(how, Speculative);
        using var session = model.StartDecode();
        return session is ISpeculativeSession { MaxDrafts: > 0 }
            ? new Speculation()
            : throw new BadInputException($"{Speculative} is set, but {model.Plan.Title} has no heads that draft.");
    }

    private static void Print(ITokenizer tokenizer, int[] prompt, IEnumerable<int> ids)
    {
        var pieces = new TextPieces(tokenizer, prompt);
        foreach (int id in ids)
        {
            Console.Write(pieces.Add(id));
        }

        Console.WriteLine();
    }
}
