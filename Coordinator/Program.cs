using Hearth.Coordinator;
using Hearth.Coordinator.Access;
using Hearth.Coordinator.Backups;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Hosting.Wire;
using Hearth.Coordinator.Jobs;
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
builder.AddParts();

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
