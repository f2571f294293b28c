using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Api;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests.Support;

/// <summary>What tests ask a coordinator, in one line each.</summary>
internal static class Pool
{
    internal static JsonObject Spec(string name = "a-run", string priority = "normal", int maxRestarts = 2, int steps = 100) => (JsonObject)JsonNode.Parse(
        $$"""
        {
          "name": "{{name}}", "model": {"family": "qovaryx", "size": "nano"}, "data": {"dataset": "docs", "seq_len": 128},
          "train": {"steps": {{steps}}, "batch_tokens": 2048}, "optimizer": {"warmup_steps": 10}, "run": {"priority": "{{priority}}", "max_restarts": {{maxRestarts}}, "tags": ["night"]}
        }
        """)!;

    /// <summary>The dataset that <see cref="Spec"/> names.</summary>
    internal static async Task AddDatasetAsync(this CoordinatorProcess service, string name = "docs")
    {
        using var response = await service.Http.PostAsync(new Uri($"/api/v1/datasets?name={name}&license=ours&kind=jsonl", UriKind.Relative), new StringContent("{\"text\": \"the first\"}\n{\"text\": \"the second\"}\n"));
        Assert.True(response.StatusCode == HttpStatusCode.OK, await response.Content.ReadAsStringAsync());
    }

    internal static async Task<RunSummary> SubmitAsync(this CoordinatorProcess service, JsonObject spec)
    {
        using var response = await service.PostAsync("/api/v1/runs", new { spec });
        Assert.True(response.StatusCode == HttpStatusCode.Created, await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync<RunSummary>(Json.Wire))!;
    }

    internal static Task<HttpResponseMessage> PostAsync(this CoordinatorProcess service, string path, object? body = null) =>
        service.Http.PostAsync(new Uri(path, UriKind.Relative), body is null ? null : JsonContent.Create(body, options: Json.Wire));

    /// <summary>Cancel, pause, resume or checkpoint; the state after it.</summary>
    internal static async Task<RunState> ActAsync(this CoordinatorProcess service, RunSummary run, string verb)
    {
        using var response = await service.PostAsync($"/api/v1/runs/{run.Id}/{verb}");
        Assert.True(response.StatusCode == HttpStatusCode.OK, await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync<RunAction>(Json.Wire))!.State;
    }

    internal static async Task<RunDetail> DetailAsync(this CoordinatorProcess service, Guid run) =>
        (await service.Http.GetFromJsonAsync<RunDetail>($"/api/v1/runs/{run}", Json.Wire))!;

    internal static Task<RunDetail> WaitAsync(this CoordinatorProcess service, RunSummary run, RunState state) =>
        Eventually.GetAsync(() => service.DetailAsync(run.Id), d => d.Summary.State == state, $"{run.Name} is {state}");

    internal static Task<WorkerView[]> WorkersAsync(this CoordinatorProcess service) => service.Http.GetFromJsonAsync<WorkerView[]>("/api/v1/workers", Json.Wire)!;

    internal static async Task<IReadOnlyList<FieldError>> ErrorsAsync(this HttpResponseMessage response)
    {
        using var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return problem.RootElement.GetProperty("errors").Deserialize<FieldError[]>(Json.Wire)!;
    }

    internal static async Task<string> DetailAsync(this HttpResponseMessage response)
    {
        using var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return problem.RootElement.GetProperty("detail").GetString()!;
    }
}
