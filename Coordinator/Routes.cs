using Hearth.Coordinator.Access;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Checkpoints;
using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Comparison;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Datasets;
using Hearth.Coordinator.Datasets.Imports;
using Hearth.Coordinator.Events;
using Hearth.Coordinator.Generations;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Jobs;
using Hearth.Coordinator.Metrics;
using Hearth.Coordinator.Models;
using Hearth.Coordinator.Runs.Requests;
using Hearth.Coordinator.Schedules;
using Hearth.Coordinator.Sweeps;
using Hearth.Coordinator.Workers;

namespace Hearth.Coordinator;

/// <summary>The table of routes: who may call what. Each slice maps its own.</summary>
internal static class Routes
{
    internal static void MapRoutes(this WebApplication app)
    {
        app.MapHealth();
        app.MapStore();
        app.MapCluster();
        app.MapJobPages();
        app.MapDescription().RequireAuthorization(Policies.View);

        var api = app.MapGroup("/api/v1").RequireAuthorization(Policies.View);
        api.MapSession();
        api.MapTokens();
        api.MapEvents();
        api.MapModels();
        api.MapRuns();
        api.MapWorkers();
        api.MapBlobs();
        api.MapJobs();
        api.MapSchedules();
        api.MapImports();
        api.MapSweeps();
        api.MapComparison();

        var worker = app.MapGroup("/api/worker").RequireAuthorization(Policies.Worker);
        worker.CheckProtocol();
        worker.MapWorkerProtocol();
        CheckpointsApi.MapCheckpoints(api, worker);
        MetricsApi.MapMetrics(api, worker);
        DatasetsApi.MapDatasets(api, worker);
        GenerationsApi.MapGenerations(api, worker);

        // Not for names of files: a matched route would keep the static files from answering.
        app.MapFallbackToFile("{*path:nonfile:regex(^(?!api/).*$)}", "index.html");
    }
}
