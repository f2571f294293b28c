using System.Collections.Concurrent;
using System.Text.Json;
using Hearth.Protocol;

namespace Hearth.Tests.FakeTrainer;

/// <summary>Speaks <c>serve</c> without a model: as many tokens as are asked for; the prompt says what goes wrong.</summary>
internal static class Serving
{
    internal static int Run()
    {
        var requests = new BlockingCollection<ServeRequest>();
        var cancelled = new ConcurrentDictionary<Guid, bool>();
        var reader = new Thread(() =>
        {
            while (Console.In.ReadLine() is { } line)
            {
                var request = JsonSerializer.Deserialize<ServeRequest>(line, Json.Wire)!;
                if (request.Command == ServeRequest.Cancel)
                {
                    cancelled[request.Id] = true;
                }
                else
                {
                    requests.Add(request);
                }
            }

            Environment.Exit(0);
        }) { IsBackground = true };
        reader.Start();
        foreach (var request in requests.GetConsumingEnumerable())
        {
            if (request.Request!.Prompt == "crash")
            {
                Console.Error.WriteLine("something is badly wrong");
                return 1;
            }

            Answer(request.Id, request.Request, cancelled);
        }

        return 0;
    }

    private static void Answer(Guid id, GenerationRequest request, ConcurrentDictionary<Guid, bool> cancelled)
    {
        for (int i = 0; i < request.MaxTokens; i++)
        {
            if (cancelled.ContainsKey(id))
            {
                Emit(id, new GenerationStopped("It was cancelled."));
                return;
            }

            Thread.Sleep(2);
            Emit(id, new GenerationToken { Index = i, Token = i, Text = $" {i}" });
        }

        Emit(id, new GenerationDone(GenerationDone.Length, new GenerationStatistics { PromptTokens = 1, Tokens = request.MaxTokens, FirstTokenSeconds = 0, Seconds = 1, TokensPerSecond = 1 }));
    }

    private static void Emit(Guid id, GenerationEvent happened)
    {
        Console.Out.WriteLine(JsonSerializer.Serialize(new ServeLine(id, happened), Json.Wire));
        Console.Out.Flush();
    }
}
