using Hearth.Coordinator.Access;
using Hearth.Coordinator.Backups;
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
using Hearth.Coordinator.Runs.Requests;
using Hearth.Coordinator.Schedules;
using Hearth.Coordinator.Scheduling.Cycle;
using Hearth.Coordinator.Sweeps;
using Hearth.Coordinator.Workers;

namespace Hearth.Coordinator;

/// <summary>The table of parts: what the service is made of. Each slice registers its own.</summary>
internal static class ServiceParts
{
    internal static void AddParts(this WebApplicationBuilder builder)
    {
        builder.AddDatabase();
        builder.AddCluster();
        builder.AddSecurity();
        builder.AddEvents();
        builder.AddBlobs();
        builder.AddCheckpoints();
        builder.AddMetrics();
        builder.AddDatasets();
        builder.AddImports();
        builder.AddRuns();
        builder.AddWorkers();
        builder.AddGenerations();
        builder.AddScheduler();
        builder.AddSchedules();
        builder.AddSweeps();
        builder.AddComparison();
        builder.AddBackups();
        builder.AddJobs();
        builder.AddDescription();
    }
}
