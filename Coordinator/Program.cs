using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Models;
using Hearth.Coordinator.Runs;

var builder = WebApplication.CreateBuilder(args);
builder.AddHttpRules();
builder.AddDatabase();
builder.AddSecurity();
builder.AddEvents();

var app = builder.Build();
app.UseHttpRules();
app.UseDefaultFiles();
app.UseStaticFiles();
app.UseSecurity();

await app.MigrateAsync();
await app.EnsureAdminTokenAsync();
app.MapHealth();

var api = app.MapGroup("/api/v1").RequireAuthorization(Policies.View);
api.MapSession();
api.MapTokens();
api.MapEvents();
api.MapModels();
api.MapRunChecks();

app.MapFallbackToFile("{*path:regex(^(?!api/).*$)}", "index.html");

await app.RunAsync();

/// <summary>Named so that tests can host the service.</summary>
public partial class Program;
