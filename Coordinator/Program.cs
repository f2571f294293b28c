using Hearth.Coordinator.Checkpoints;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Metrics;
using Hearth.Coordinator.Models;
using Hearth.Coordinator.Runs;
using Hearth.Coordinator.Storage;

var builder = WebApplication.CreateBuilder(args);
builder.AddHttpRules();
builder.AddDatabase();
builder.AddSecurity();
builder.AddEvents();
builder.AddStorage();
builder.AddCheckpoints();
builder.AddMetrics();

var app = builder.Build();
app.UseHttpRules();
app.UseDefaultFiles();
app.UseStaticFiles();
app.UseSecurity();

await app.MigrateAsync();
await app.EnsureAdminTokenAsync();
app.MapHealth();
app.MapStore();

var api = app.MapGroup("/api/v1").RequireAuthorization(Policies.View);
api.MapSession();
api.MapTokens();
api.MapEvents();
api.MapModels();
api.MapRunChecks();

var worker = app.MapGroup("/api/worker").RequireAuthorization(Policies.Worker);
CheckpointsApi.MapCheckpoints(api, worker);
MetricsApi.MapMetrics(api, worker);

app.MapFallbackToFile("{*path:regex(^(?!api/).*$)}", "index.html");

await app.RunAsync();

/// <summary>Named so that tests can host the service.</summary>
public partial class Program;
