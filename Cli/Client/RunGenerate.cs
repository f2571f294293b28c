using System.CommandLine;
using System.Text.Json;
using Hearth.Api;
using Hearth.Protocol;

namespace Hearth.Cli.Client;

/// <summary><c>runs generate</c>: asks a run's checkpoint on a worker of the pool, and prints the answer as it comes.</summary>
internal static class RunGenerate
{
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(5);

    public static Command Create(Argument<string> run)
    {
        var step = Given.Optional<long>("--step", "Which checkpoint; the newest when left out.");
        var prompt = new Option<string>("--prompt") { Description = "Text to go on with." };
        var message = new Option<string>("--message") { Description = "A user's turn to answer, in place of --prompt." };
        var system = new Option<string>("--system") { Description = "What stands before the turn." };
        var tokens = Given.Number("--max-tokens", "Most tokens.", new GenerationRequest().MaxTokens);
        var temperature = Given.Number("--temperature", "0 takes the likeliest token.", new GenerationRequest().Temperature);
        var topK = Given.Number("--top-k", "Keep the k likeliest tokens; 0 keeps all.", new GenerationRequest().TopK);
        var topP = Given.Number("--top-p", "Of those, the likeliest whose probabilities add up to this.", 1.0);
        var minP = Given.Number("--min-p", "Of those, drop what is less likely than this share of the likeliest.", 0.0);
        var penalty = Given.Number("--repetition-penalty", "Over 1, tokens that the text has already become less likely.", 1.0);
        var seed = Given.Number("--seed", "Decides what is drawn.", 0L);
        var halt = Given.Optional<double>("--halt-threshold", "Where a looped model leaves its loop; 1 = full depth.");
        var speculative = new Option<bool>("--speculative") { Description = "Greedy text by drafts; with --temperature 0." };
        var command = new Command("generate", "Ask a checkpoint of the run, on a worker of the pool.") { run, step, prompt, message, system, tokens, temperature, topK, topP, minP, penalty, seed, halt, speculative };
        ClientCommand.Bind(command, async (parsed, api, output, stop) => await AskAsync(
            api,
            output,
            new StartGeneration
            {
                CheckpointId = await CheckpointAsync(api, parsed.GetRequiredValue(run), parsed.GetValue(step), stop),
                Prompt = parsed.GetValue(prompt),
                Messages = Messages(parsed.GetValue(system), parsed.GetValue(message)),
                MaxTokens = parsed.GetValue(tokens),
                Temperature = parsed.GetValue(temperature),
                TopK = parsed.GetValue(topK),
                TopP = parsed.GetValue(topP),
                MinP = parsed.GetValue(minP),
                RepetitionPenalty = parsed.GetValue(penalty),
                Seed = parsed.GetValue(seed),
                HaltThreshold = parsed.GetValue(halt),
                Speculative = parsed.GetValue(speculative),
            },
            stop));
        return command;
    }

    private static ChatTurn[]? Messages(string? system, string? message) => message is null
        ? null
        : [.. system is null ? Array.Empty<ChatTurn>() : [new ChatTurn("system", system)], new ChatTurn("user", message)];

    private static async Task<Guid> CheckpointAsync(ApiClient api, string name, long? step, CancellationToken stop)
    {
        var kept = (await api.GetAsync<RunDetail>($"runs/{await RunNames.FindAsync(api, name, stop)}", stop)).Checkpoints.Where(c => c.Status == "kept").ToList();
        if (kept.FirstOrDefault(c => step is null || c.Step == step) is { } checkpoint)
        {
            return checkpoint.Id;
        }

        string allowed = kept.Count == 0 ? "none: the run has kept no checkpoint" : string.Join(", ", kept.Select(c => c.Step));
        throw new CliException($"{name} has no checkpoint{(step is null ? "" : $" of step {step}")}. Allowed: {allowed}.", ExitCodes.BadInput);
    }

    private static async Task<int> AskAsync(ApiClient api, Output output, StartGeneration request, CancellationToken stop)
    {
        var asked = await api.PostAsync<GenerationView>("generations", request, stop);
        try
        {
            await foreach (var happened in api.EventsAsync<GenerationEvent>($"generations/{asked.Id}/events", stop))
            {
                if (output.IsJson)
                {
                    output.Line(JsonSerializer.Serialize(happened, Json.Wire));
                }
                else if (happened is GenerationToken token)
                {
                    output.Part(token.Text);
                }

                if (happened.IsLast)
                {
                    return End(output, happened, asked.Device);
                }
            }

            throw new CliException("The answer broke off: the coordinator no longer knows the request.", ExitCodes.Failed);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Nobody reads on, so nobody should compute on.
            using var limit = new CancellationTokenSource(StopLimit);
            await api.DeleteAsync($"generations/{asked.Id}", limit.Token);
            throw;
        }
    }

    private static int End(Output output, GenerationEvent last, string device)
    {
        if (!output.IsJson)
        {
            output.Line("");
        }

        switch (last)
        {
            case GenerationDone { Statistics: var s }:
                string drafts = s.Drafted > 0 ? $", {s.DraftsKept} of {s.Drafted} drafts kept" : "";
                string loops = s.MeanLoops is { } mean ? FormattableString.Invariant($", {mean:0.0} loops a token") : "";
                Console.Error.WriteLine($"{Text.Count(s.Tokens)} tokens on {device}, first after {Text.Milliseconds(s.FirstTokenSeconds)}, {Text.Speed(s.TokensPerSecond)}{loops}{drafts}");
                return ExitCodes.Done;
            case GenerationFailed failed:
                throw new CliException(failed.Message, ExitCodes.Failed);
            default:
                throw new CliException(((GenerationStopped)last).Reason, ExitCodes.Failed);
        }
    }
}
