using Hearth.Coordinator.Hosting;
using Npgsql;

namespace Hearth.Coordinator.Database;

/// <summary>The connections to PostgreSQL, and what tells an operator whether it works.</summary>
public static class DatabaseExtensions
{
    public static void AddDatabase(this WebApplicationBuilder builder)
    {
        DapperTypes.Register();
        builder.Services.AddSingleton(services => NpgsqlDataSource.Create(services.GetRequiredService<CoordinatorOptions>().Database));
    }

    public static Task MigrateAsync(this WebApplication app) => Migrator.RunAsync(app.Services.GetRequiredService<NpgsqlDataSource>());

    /// <summary><c>/healthz</c>: the process answers. <c>/readyz</c>: the database answers too, else 503.</summary>
    public static void MapHealth(this WebApplication app)
    {
        app.MapGet("/healthz", () => "ok").ExcludeFromDescription();
        app.MapGet("/readyz", async (NpgsqlDataSource database, CancellationToken stop) =>
        {
            try
            {
                await using var command = database.CreateCommand("select 1");
                await command.ExecuteScalarAsync(stop);
                return Results.Text("ok");
            }
            catch (NpgsqlException e)
            {
                return Results.Problem($"PostgreSQL does not answer: {e.Message}", statusCode: StatusCodes.Status503ServiceUnavailable);
            }
        }).ExcludeFromDescription();
    }
}
