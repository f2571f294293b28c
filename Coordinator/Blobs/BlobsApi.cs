using Hearth.Coordinator.Access;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Jobs;

namespace Hearth.Coordinator.Blobs;

/// <summary>The object store as an admin sees it, and the services around it.</summary>
public static class BlobsApi
{
    /// <summary>Azure where <c>HEARTH_AZURE_CONTAINER</c> is set, S3 where <c>HEARTH_S3_BUCKET</c> is, else a folder of <c>HEARTH_DATA</c>.</summary>
    public static void AddBlobs(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(StoreSettings.Read(builder.Configuration));
        builder.Services.AddSingleton<BlobUploads>();
        builder.Services.AddSingleton<BlobLedger>();
        builder.Services.AddSingleton<StoreKeeper>();
        builder.Services.AddSingleton<StoreWatch>();
        builder.Services.AddHostedService(services => services.GetRequiredService<StoreWatch>());
        builder.Services.AddSingleton<BlobSweeper>();
        builder.Services.AddSingleton<IRecurringJob, BlobSweepJob>();
        AddStore(builder);
    }

    /// <summary>Compares the store's mark with the database's pool before anything is served.</summary>
    /// <exception cref="InvalidOperationException">The store is another pool's.</exception>
    public static Task CheckStoreAsync(this WebApplication app) => app.Services.GetRequiredService<StoreWatch>().BeginAsync(app.Lifetime.ApplicationStopping);

    public static void MapBlobs(this RouteGroupBuilder api)
    {
        api.MapGet("/blobs/sweep", (BlobSweeper sweeper, CancellationToken stop) => sweeper.PreviewAsync(stop))
            .RequireAuthorization(Policies.Admin).ProducesProblem(StatusCodes.Status503ServiceUnavailable).WithSummary("What a sweep of the object store would do. Changes nothing.");
        api.MapPost("/blobs/sweep", (BlobSweeper sweeper, CancellationToken stop) => sweeper.SweepAsync(stop))
            .RequireAuthorization(Policies.Admin).ProducesProblem(StatusCodes.Status503ServiceUnavailable).WithSummary("Sweeps the object store: quarantines what nothing uses, deletes what nothing used for a day more.");
    }

    /// <summary>The store as a folder; null where it is in a bucket or container.</summary>
    internal static string? FolderOf(IConfiguration settings, CoordinatorOptions options) =>
        AzureOptions.Read(settings) is null && S3Options.Read(settings) is null ? FolderOf(options) : null;

    private static string FolderOf(CoordinatorOptions options) => Path.Combine(options.DataPath, "store");

    private static void AddStore(WebApplicationBuilder builder)
    {
        if (AzureOptions.Read(builder.Configuration) is { } azure)
        {
            builder.Services.AddSingleton<IObjectStore>(new AzureObjectStore(azure));
        }
        else if (S3Options.Read(builder.Configuration) is { } s3)
        {
            builder.Services.AddSingleton<IObjectStore>(_ => new S3ObjectStore(s3));
        }
        else
        {
            builder.Services.AddSingleton(services => new AddressSigner(
                AddressSigner.LoadKey(services.GetRequiredService<CoordinatorOptions>().DataPath), services.GetRequiredService<DatabaseClock>()));
            builder.Services.AddSingleton<IObjectStore>(services => new LocalObjectStore(
                FolderOf(services.GetRequiredService<CoordinatorOptions>()), services.GetRequiredService<AddressSigner>()));
        }
    }
}
