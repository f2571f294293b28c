using Hearth.Coordinator;
using Hearth.Coordinator.Access;
using Hearth.Coordinator.Backups;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Checkpoints;
using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Datasets;
using Hearth.Coordinator.Datasets.Imports;
using Hearth.Coordinator.Events;
using Hearth.Coordinator.Generations;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Hosting.Wire;
using Hearth.Coordinator.Jobs;
using Hearth.Coordinator.Metrics;
using Hearth.Coordinator.Runs.Requests;
using Hearth.Coordinator.Schedules;
using Hearth.Coordinator.Scheduling.Cycle;
using Hearth.Coordinator.Workers;

if (await Benches.RunAsync(args) is { } code)
{
    return code;
}

if (args is ["backup" or "restore", ..])
{
    return await BackupCommands.RunAsync(args);
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
builder.AddImports();
builder.AddRuns();
builder.AddWorkers();
builder.AddGenerations();
builder.AddScheduler();
builder.AddSchedules();
builder.AddBackups();
builder.AddJobs();
builder.AddDescription();

var app = builder.Build();
app.UseProtocolHeader("/api/worker");
app.UseHttpRules();
app.UseDefaultFiles();
app.UseStaticFiles();
app.UseSecurity();
app.UseWireBodies();

if (!await app.MigrateAsync())
{
    return 1;
}

await app.CheckStoreAsync();
await app.EnsureAdminTokenAsync();
await app.PrepareJobsAsync();
app.MapRoutes();

await app.RunAsync();
return 0;
