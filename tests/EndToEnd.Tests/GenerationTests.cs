using Hearth.Api;
using Hearth.Protocol;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests;

/// <summary>A checkpoint of the pool is asked over the API and by the command, and a worker answers.</summary>
[Collection(PoolCollection.Name)]
public sealed class GenerationTests(PoolFixture fixture)
{
    private const string Prompt = "public sealed";

    [Fact]
    public async Task The_greedy_text_over_the_api_is_what_the_trainer_prints_from_the_same_checkpoint()
    {
        var checkpoint = await CheckpointAsync("asked");
        string folder = await DownloadAsync(checkpoint);
        await using var trainer = CliProcess.Start("generate", "--checkpoint", folder, "--prompt", Prompt, "--max-tokens", "24", "--temperature", "0", "--threads", "1");
        Assert.Equal(0, await trainer.ExitCodeAsync());

        var first = await AskAsync(Ask(checkpoint));
        var second = await AskAsync(Ask(checkpoint));

        Assert.Equal(trainer.Text.TrimEnd(), (Prompt + Text(first)).TrimEnd());
        Assert.Equal(Text(first), Text(second));
        Assert.Equal((false, true), (Statistics(first).Warm, Statistics(second).Warm));
        Assert.Contains(await fixture.Api.GetAsync<CheckpointChoice[]>("checkpoints", CancellationToken.None), c => c.Id == checkpoint.Id);
    }

    [Fact]
    public async Task An_answer_that_is_stopped_midway_ends_and_the_worker_answers_the_next_one()
    {
        var checkpoint = await CheckpointAsync("stopped");
        var asked = await fixture.Api.PostAsync<GenerationView>("generations", Ask(checkpoint) with { MaxTokens = 250, Temperature = 1 }, CancellationToken.None);
        var seen = new List<GenerationEvent>();
        await foreach (var happened in fixture.Api.EventsAsync<GenerationEvent>($"generations/{asked.Id}/events", CancellationToken.None))
        {
            seen.Add(happened);
            if (happened is GenerationToken { Index: 2 })
            {
                await fixture.Api.DeleteAsync($"generations/{asked.Id}", CancellationToken.None);
            }
        }

        Assert.IsType<GenerationStopped>(seen[^1]);
        Assert.InRange(seen.OfType<GenerationToken>().Count(), 3, 249);
        Assert.Equal(GenerationState.Stopped, (await fixture.Api.GetAsync<GenerationView>($"generations/{asked.Id}", CancellationToken.None)).State);
        Assert.IsType<GenerationDone>((await AskAsync(Ask(checkpoint)))[^1]);
    }

    [Fact]
    public async Task The_command_streams_an_answer_and_names_what_is_wrong()
    {
        await CheckpointAsync("typed-prompt");
        string[] ask = ["runs", "generate", "typed-prompt", "--prompt", Prompt, "--max-tokens", "8", "--temperature", "0"];

        string said = await RunAsync(0, ask);
        string hot = await RunAsync(2, [.. ask[..^1], "11"]);
        string looped = await RunAsync(2, [.. ask, "--halt-threshold", "0.5"]);
        string step = await RunAsync(2, [.. ask, "--step", "3"]);

        Assert.Matches(@"8 tokens on local/(0|cpu), first after \S+ ms", said);
        Assert.Contains("temperature is 11. Allowed: 0 to 10.", hot, StringComparison.Ordinal);
        Assert.Contains("halt_threshold is 0.5, but Qovaryx nano has no loop to leave early.", looped, StringComparison.Ordinal);
        Assert.Contains("typed-prompt has no checkpoint of step 3. Allowed: ", step, StringComparison.Ordinal);
    }

    private static StartGeneration Ask(CheckpointView checkpoint) => new() { CheckpointId = checkpoint.Id, Prompt = Prompt, MaxTokens = 24, Temperature = 0 };

    private static string Text(IEnumerable<GenerationEvent> events) => string.Concat(events.OfType<GenerationToken>().Select(t => t.Text));

    private static GenerationStatistics Statistics(IReadOnlyList<GenerationEvent> events) => Assert.IsType<GenerationDone>(events[^1]).Statistics;

    /// <summary>The last checkpoint of a run that has ended.</summary>
    private async Task<CheckpointView> CheckpointAsync(string name)
    {
        var run = await PoolFixture.SucceededAsync(await fixture.SubmitAsync(PoolFixture.Spec(name, steps: 40)));
        return run.Checkpoints.Where(c => c.Status == "kept").MaxBy(c => c.Step)!;
    }

    private async Task<List<GenerationEvent>> AskAsync(StartGeneration request)
    {
        var asked = await fixture.Api.PostAsync<GenerationView>("generations", request, CancellationToken.None);
        var events = new List<GenerationEvent>();
        await foreach (var happened in fixture.Api.EventsAsync<GenerationEvent>($"generations/{asked.Id}/events", CancellationToken.None))
        {
            events.Add(happened);
        }

        return events;
    }

    /// <summary>The checkpoint's files as a person downloads them.</summary>
    private async Task<string> DownloadAsync(CheckpointView checkpoint)
    {
        string folder = Path.Combine(fixture.Pool.DataPath, "downloads", checkpoint.Id.ToString("N"));
        Directory.CreateDirectory(folder);
        using var http = new HttpClient { BaseAddress = fixture.Pool.Address };
        http.DefaultRequestHeaders.Authorization = new("Bearer", fixture.Pool.AdminToken);
        var choice = (await fixture.Api.GetAsync<CheckpointChoice[]>("checkpoints", CancellationToken.None)).Single(c => c.Id == checkpoint.Id);
        foreach (var file in checkpoint.Files)
        {
            await File.WriteAllBytesAsync(Path.Combine(folder, file.Name), await http.GetByteArrayAsync(new Uri($"api/v1/runs/{choice.RunId}/checkpoints/{checkpoint.Id}/files/{file.Name}", UriKind.Relative)));
        }

        return folder;
    }

    private async Task<string> RunAsync(int code, params string[] arguments)
    {
        var environment = new Dictionary<string, string> { ["HEARTH_URL"] = fixture.Pool.Address.ToString(), ["HEARTH_TOKEN"] = fixture.Pool.AdminToken };
        await using var command = CliProcess.Start(environment, arguments);
        int got = await command.ExitCodeAsync();
        Assert.True(code == got, $"{string.Join(' ', arguments)} gave {got}, not {code}: {command.Text}");
        return command.Text;
    }
}
