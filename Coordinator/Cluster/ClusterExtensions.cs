using Hearth.Coordinator.Access;
using Hearth.Coordinator.Hosting;
using Npgsql;
using Orleans.Configuration;
using Orleans.Dashboard;

namespace Hearth.Coordinator.Cluster;

/// <summary>Makes the service a silo. Where Orleans is used and where not: <c>docs/decisions/007</c>.</summary>
public static class ClusterExtensions
{
    private const string ServiceName = "hearth";
    private const string DashboardPath = "/orleans";

    public static void AddCluster(this WebApplicationBuilder builder)
    {
        var options = ClusterSettings.Read(builder.Configuration);
        builder.Services.AddSingleton(options);
        builder.Logging.AddFilter("Orleans", LogLevel.Warning);

        // Orleans places each grain through it, and it tells of each.
        builder.Logging.AddFilter("Polly", LogLevel.Warning);
        builder.UseOrleans(silo =>
        {
            if (options.Name is { } name)
            {
                silo.UseDatabaseClustering(name, options);
            }
            else
            {
                silo.UseLocalhostClustering(options.Address.Port, gatewayPort: 0, serviceId: ServiceName, clusterId: ServiceName);
            }

            if (options.Dashboard)
            {
                silo.AddDashboard(dashboard => dashboard.HideTrace = true);
            }
        });
        builder.Services.AddSingleton<Wakes>();
        builder.Services.AddSingleton<WorkerWaits>();
        builder.Services.AddSingleton<SchedulerTerms>();
        builder.Services.AddHostedService<SchedulerKeeper>();
    }

    /// <summary>The cluster's own pages, for admins, when they are switched on.</summary>
    public static void MapCluster(this WebApplication app)
    {
        if (app.Services.GetRequiredService<ClusterSettings>().Dashboard)
        {
            app.MapOrleansDashboard(DashboardPath).RequireAuthorization(Policies.Admin).ExcludeFromDescription();
        }
    }

    private static void UseDatabaseClustering(this ISiloBuilder silo, string name, ClusterSettings options)
    {
        silo.Configure<ClusterOptions>(cluster => (cluster.ServiceId, cluster.ClusterId) = (ServiceName, name));
        silo.Configure<EndpointOptions>(endpoint =>
        {
            endpoint.AdvertisedIPAddress = options.Address.Address;
            endpoint.SiloPort = options.Address.Port;
            endpoint.SiloListeningEndpoint = options.Address;
            endpoint.GatewayPort = 0;
        });
        silo.Configure<ClusterMembershipOptions>(Tune);
        silo.UseAdoNetClustering(clustering => clustering.Configure<CoordinatorOptions>((table, settings) =>
        {
            table.Invariant = "Npgsql";
            table.DataSource = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(settings.Database) { SearchPath = "orleans", MaxPoolSize = 4 });
        }));
        if (options.Certificates is { } files)
        {
            var certificates = ClusterCertificates.Load(files, DateTimeOffset.UtcNow);
            silo.UseTls(certificates.Own, certificates.Apply);
        }
    }

    /// <summary>
    /// A dead or frozen coordinator is declared dead within five seconds, one that stands still for three is not. Without a longest probe
    /// nobody votes while a connection was alive lately, which takes a minute.
    /// </summary>
    private static void Tune(ClusterMembershipOptions membership)
    {
        membership.ProbeTimeout = TimeSpan.FromSeconds(1);
        membership.MinProbeTimeout = TimeSpan.FromSeconds(0.6);
        membership.MaxProbeTimeout = TimeSpan.FromSeconds(1.2);
        membership.NumMissedProbesLimit = 3;
        membership.NumVotesForDeathDeclaration = 2;
        membership.EnableIndirectProbes = true;
        membership.EnableConnectionLivenessCheck = true;
        membership.TableRefreshTimeout = TimeSpan.FromSeconds(5);
        membership.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(5);
    }
}
