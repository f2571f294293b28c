using Hearth.Coordinator.Database;
using Hearth.Coordinator.Blobs;
using Npgsql;
using Xunit;

namespace Hearth.Tests.Support;

/// <summary>One service and its database for all tests of a class; each test makes a run of its own.</summary>
public sealed class DataService(PostgresServer postgres) : IAsyncLifetime
{
    public CoordinatorProcess Service { get; private set; } = null!;

    public NpgsqlDataSource Database { get; private set; } = null!;

    /// <summary>Folder of the service's data.</summary>
    public string DataPath { get; } = Directory.CreateTempSubdirectory("hearth-data-").FullName;

    public async Task InitializeAsync()
    {
        DapperTypes.Register();
        string database = await postgres.CreateDatabaseAsync();
        Service = await CoordinatorProcess.StartAsync(database, null, ("HEARTH_DATA", DataPath));
        Database = NpgsqlDataSource.Create(database);
    }

    public async Task DisposeAsync()
    {
        await Service.DisposeAsync();
        await Database.DisposeAsync();
        Directory.Delete(DataPath, recursive: true);
    }

    /// <summary>Signs with the service's own key.</summary>
    public AddressSigner Signer() => new(AddressSigner.LoadKey(DataPath), TimeProvider.System);

    public string BlobPath(string sha256) => Path.Combine(DataPath, "store", BlobNames.Of(sha256));

    public async Task<T> ScalarAsync<T>(string sql, params object[] parameters)
    {
        await using var command = Database.CreateCommand(sql);
        foreach (object parameter in parameters)
        {
            command.Parameters.AddWithValue(parameter);
        }

        return (T)(await command.ExecuteScalarAsync())!;
    }

    public Task<long> CountAsync(string table, Guid runId) => ScalarAsync<long>($"select count(*) from {table} where run_id = $1", runId);

    public async Task ExecuteAsync(string sql)
    {
        await using var command = Database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    public Task<PlacedAttempt> PlaceAsync(string dataset = "docs", int keepLast = 3) => PlacedAttempt.CreateAsync(Service, Database, dataset, keepLast);
}
