using Hearth;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Models;
using Hearth.Coordinator.Runs;

var builder = WebApplication.CreateBuilder(args);
builder.Services.ConfigureHttpJsonOptions(options => Json.Configure(options.SerializerOptions));
builder.Services.AddProblemDetails();
builder.AddDatabase();

var app = builder.Build();
app.UseExceptionHandler();
app.UseStatusCodePages();
app.UseDefaultFiles();
app.UseStaticFiles();

await app.MigrateAsync();
app.MapHealth();
var api = app.MapGroup("/api/v1");
api.MapModels();
api.MapRunChecks();
app.MapFallbackToFile("{*path:regex(^(?!api/).*$)}", "index.html");

await app.RunAsync();

/// <summary>Named so that tests can host the service.</summary>
public partial class Program;
