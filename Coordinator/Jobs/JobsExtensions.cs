using Hangfire;
using Hangfire.Common;
using Hangfire.PostgreSql;
using Hangfire.PostgreSql.Factories;
using Hangfire.Storage;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Npgsql;

namespace Hearth.Coordinator.Jobs;

/// <summary>Hangfire as it is used here: whose turn a job is, on which coordinator. What for and what not: <c>docs/decisions/008</c>.</summary>
public static class JobsExtensions
{
    private const string Schema = "hangfire";

    // Two jobs side by side, and Hangfire's own looks at its tables.
    private const int Workers = 2;
    private const int MostConnections = 8;

    // Any constant will do, as long as all coordinators take the same lock.
    private const long PrepareLock = 0x4865617274684A;
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(15);

    // A coordinator that was killed keeps a turn for this long; one that lives renews it.
    private static readonly TimeSpan TurnLife = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Kept = TimeSpan.FromHours(1);

    public static void AddJobs(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton(JobSettings.Read(builder.Configuration));
        builder.Services.AddSingleton<JobTable>();
        builder.Services.AddSingleton<JobRunner>();
        builder.Services.AddSingleton<JobQueue>();
        builder.Logging.AddFilter("Hangfire", LogLevel.Warning);
        builder.Services.AddHangfire((services, hangfire) => hangfire
            .SetDataCompatibilityLevel(CompatibilityLevel.Version_180)
            .UseSimpleAssemblyNameTypeSerializer()
            .UseRecommendedSerializerSettings()
            .UseStorage(Storage(services.GetRequiredService<CoordinatorOptions>().Database)));
        builder.Services.AddHangfireServer(server =>
        {
            server.WorkerCount = Workers;
            server.SchedulePollingInterval = Look;
            server.StopTimeout = TimeSpan.FromSeconds(2);
            server.ShutdownTimeout = TimeSpan.FromSeconds(5);
        });
    }

    /// <summary>
    /// Has Hangfire make its schema, and tells it every job. Under a lock: two coordinators that make the schema at once would stumble over
    /// each other.
    /// </summary>
    public static async Task PrepareJobsAsync(this WebApplication app)
    {
        await using var session = await DbSession.OpenAsync(app.Services.GetRequiredService<NpgsqlDataSource>(), app.Lifetime.ApplicationStopping);
        await session.ExecuteAsync("select pg_advisory_lock(@PrepareLock)", new { PrepareLock });
        try
        {
            var storage = app.Services.GetRequiredService<JobStorage>();
            var jobs = app.Services.GetRequiredService<JobTable>().Jobs;
            var manager = app.Services.GetRequiredService<IRecurringJobManager>();
            using var hangfire = storage.GetConnection();
            foreach (string gone in hangfire.GetRecurringJobs().Select(j => j.Id).Where(id => !jobs.ContainsKey(id)))
            {
                manager.RemoveIfExists(gone);
            }

            foreach (var job in jobs.Values)
            {
                manager.AddOrUpdate(
                    job.Name, Job.FromExpression<JobRunner>(runner => runner.RunAsync(job.Name, CancellationToken.None)), job.Cron, new RecurringJobOptions { TimeZone = TimeZoneInfo.Utc });
            }
        }
        finally
        {
            await session.ExecuteAsync("select pg_advisory_unlock(@PrepareLock)", new { PrepareLock });
        }
    }

    /// <summary>Settings of the storage; making it makes the schema.</summary>
    private static PostgreSqlStorage Storage(string database)
    {
        var connection = DatabaseExtensions.Settings(database);
        (connection.MaxPoolSize, connection.ApplicationName) = (MostConnections, "hearth jobs");

        // What Hangfire leaves in its sessions is its own matter.
        (connection.NoResetOnClose, connection.MaxAutoPrepare) = (false, 0);
        var options = new PostgreSqlStorageOptions
        {
            SchemaName = Schema,
            QueuePollInterval = TimeSpan.FromSeconds(5),
            UseSlidingInvisibilityTimeout = true,
            InvisibilityTimeout = TurnLife,
            DistributedLockTimeout = TurnLife,
        };
        return new PostgreSqlStorage(new NpgsqlConnectionFactory(connection.ConnectionString, options), options) { JobExpirationTimeout = Kept };
    }
}
