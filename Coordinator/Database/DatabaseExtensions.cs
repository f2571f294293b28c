using System.Globalization;
using Hearth.Coordinator.Hosting;
using Npgsql;

namespace Hearth.Coordinator.Database;

/// <summary>The connections to PostgreSQL, and what tells an operator whether it works.</summary>
public static class DatabaseExtensions
{
    /// <summary>
    /// How long PostgreSQL waits inside a transaction for a coordinator's next word. A frozen one keeps its connections, and the row
    /// locks of an open transaction with them; the others must get past those no later than past its death.
    /// </summary>
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(3);

    // More than there are statements that a busy coordinator repeats.
    private const int PreparedStatements = 100;

    public static void AddDatabase(this WebApplicationBuilder builder)
    {
        DapperTypes.Register();
        builder.Services.AddSingleton(services => NpgsqlDataSource.Create(Settings(services.GetRequiredService<CoordinatorOptions>().Database)));
        builder.Services.AddSingleton<DatabaseClock>();
        builder.Services.AddHostedService(services => services.GetRequiredService<DatabaseClock>());
        builder.Services.AddSingleton<DatabaseSignals>();
        builder.Services.AddHostedService(services => services.GetRequiredService<DatabaseSignals>());
    }

    /// <summary>The connection string with what every session of a coordinator starts with. Pure.</summary>
    internal static NpgsqlConnectionStringBuilder Settings(string database)
    {
        var settings = new NpgsqlConnectionStringBuilder(database);

        // Who works on a session leaves nothing in it: settings are local to transactions, and a lock of the session is given back by who took it. So no
        // connection needs a reset. What is repeated is parsed once a connection, and planned once where the plan does not hang on the values.
        settings.NoResetOnClose = true;
        settings.MaxAutoPrepare = PreparedStatements;
        settings.Options = string.Create(CultureInfo.InvariantCulture, $"{settings.Options} -c idle_in_transaction_session_timeout={LongestSilence.TotalMilliseconds}").Trim();
        return settings;
    }

    /// <returns>False where the database is not one to work on; why has been said.</returns>
    public static async Task<bool> MigrateAsync(this WebApplication app)
    {
        try
        {
            await Migrator.RunAsync(app.Services.GetRequiredService<NpgsqlDataSource>());
            return true;
        }
        catch (SchemaRefusedException e)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return false;
        }
    }

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
