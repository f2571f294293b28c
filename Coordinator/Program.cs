using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Checkpoints;
using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Datasets;
using Hearth.Coordinator.Generations;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Metrics;
using Hearth.Coordinator.Models;
using Hearth.Coordinator.Runs;
using Hearth.Coordinator.Scheduling.Bench;
using Hearth.Coordinator.Scheduling.Cycle;
using Hearth.Coordinator.Workers;

if (args is ["bench", "decide", .. var options])
{
    return DecideBench.Run(options, Console.Out);
}

var builder = WebApplication.CreateBuilder(args);
builder.AddHttpRules();
builder.AddDatabase();
builder.AddCluster();
builder.AddSecurity();
builder.AddEvents();
builder.AddBlobs();
builder.AddCheckpoints();
builder.AddMetrics();
builder.AddDatasets();
builder.AddRuns();
builder.AddWorkers();
builder.AddGenerations();
builder.AddScheduler();
builder.AddDescription();

var app = builder.Build();
app.UseHttpRules();
app.UseDefaultFiles();
app.UseStaticFiles();
app.UseSecurity();

await app.MigrateAsync();
await app.CheckStoreAsync();
await app.EnsureAdminTokenAsync();
app.MapHealth();
app.MapStore();
app.MapCluster();
app.MapDescription();

var api = app.MapGroup("/api/v1").RequireAuthorization(Policies.View);
api.MapSession();
api.MapTokens();
api.MapEvents();
api.MapModels();
api.MapRuns();
api.MapWorkers();
api.MapBlobs();

var worker = app.MapGroup("/api/worker").RequireAuthorization(Policies.Worker);
worker.MapWorkerProtocol();
CheckpointsApi.MapCheckpoints(api, worker);
MetricsApi.MapMetrics(api, worker);
DatasetsApi.MapDatasets(api, worker);
GenerationsApi.MapGenerations(api, worker);

// Not for names of files: a matched route would keep the static files from answering.
app.MapFallbackToFile("{*path:nonfile:regex(^(?!api/).*$)}", "index.html");

await app.RunAsync();
return 0;
