using Hearth.Coordinator.Hosting;

namespace Hearth.Coordinator.Storage;

/// <summary>Chooses the store: S3 where <c>HEARTH_S3_BUCKET</c> is set, else a folder of <c>HEARTH_DATA</c>.</summary>
public static class StorageExtensions
{
    public static void AddStorage(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton(TimeProvider.System);
        if (S3Options.Read(builder.Configuration) is { } s3)
        {
            builder.Services.AddSingleton<IObjectStore>(_ => new S3ObjectStore(s3));
            return;
        }

        builder.Services.AddSingleton(services => new AddressSigner(
            AddressSigner.LoadKey(services.GetRequiredService<CoordinatorOptions>().DataPath), services.GetRequiredService<TimeProvider>()));
        builder.Services.AddSingleton<IObjectStore>(services => new LocalObjectStore(
            Path.Combine(services.GetRequiredService<CoordinatorOptions>().DataPath, "store"), services.GetRequiredService<AddressSigner>()));
    }
}
