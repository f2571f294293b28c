using Npgsql;

namespace Hearth.Coordinator.Database;

/// <summary>The connection to PostgreSQL, out of <c>HEARTH_DATABASE</c>, and what tells an operator whether it works.</summary>
public static class DatabaseExtensions
{
    public const string Setting = "HEARTH_DATABASE";

    public static void AddDatabase(this WebApplicationBuilder builder)
    {
        string text = builder.Configuration[Setting] is { Length: > 0 } given
            ? given
            : throw new InvalidOperationException($"{Setting} is missing. Allowed: a PostgreSQL connection string such as Host=localhost;Database=hearth;Username=hearth.");
        builder.Services.AddSingleton(_ => NpgsqlDataSource.Create(text));
    }

    public static Task MigrateAsync(this WebApplication app) => Migrator.RunAsync(app.Services.GetRequiredService<NpgsqlDataSource>());

    /// <summary><c>/healthz</c>: the process answers. <c>/readyz</c>: the database answers too, else 503.</summary>
    public static void MapHealth(this WebApplication app)
    {
        app.MapGet("/healthz", () => "ok");
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
        });
    }
}
