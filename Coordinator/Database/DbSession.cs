using System.Data;
using Dapper;
using Npgsql;

namespace Hearth.Coordinator.Database;

/// <summary>
/// One piece of work on the database: a connection, its transaction where it has one, and the token that ends it, so that a statement
/// needs its text and values alone. What a transaction did is undone unless it is committed before it is disposed of.
/// </summary>
public sealed class DbSession : IAsyncDisposable
{
    private readonly NpgsqlConnection _connection;
    private readonly NpgsqlTransaction? _transaction;

    private DbSession(NpgsqlConnection connection, NpgsqlTransaction? transaction, CancellationToken stop) =>
        (_connection, _transaction, Stop) = (connection, transaction, stop);

    /// <summary>Ends every statement of the session.</summary>
    public CancellationToken Stop { get; }

    /// <summary>Each statement for itself.</summary>
    public static async Task<DbSession> OpenAsync(NpgsqlDataSource database, CancellationToken stop) => new(await database.OpenConnectionAsync(stop), null, stop);

    /// <summary>All statements together, or none.</summary>
    public static async Task<DbSession> BeginAsync(NpgsqlDataSource database, CancellationToken stop, IsolationLevel isolation = IsolationLevel.ReadCommitted)
    {
        var connection = await database.OpenConnectionAsync(stop);
        try
        {
            return new DbSession(connection, await connection.BeginTransactionAsync(isolation, stop), stop);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <returns>How many rows the statement touched.</returns>
    public Task<int> ExecuteAsync(string sql, object? values = null) => _connection.ExecuteAsync(Command(sql, values));

    public async Task<IReadOnlyList<T>> QueryAsync<T>(string sql, object? values = null) => [.. await _connection.QueryAsync<T>(Command(sql, values))];

    /// <summary>The one row that there must be.</summary>
    public Task<T> SingleAsync<T>(string sql, object? values = null) => _connection.QuerySingleAsync<T>(Command(sql, values));

    /// <summary>The one row, or the default where there is none.</summary>
    public Task<T?> FindAsync<T>(string sql, object? values = null) => _connection.QuerySingleOrDefaultAsync<T?>(Command(sql, values));

    /// <summary>The first value of the first row as it comes, for arrays; the default where there is none or it is null.</summary>
    public async Task<T?> ScalarAsync<T>(string sql, object? values = null) => await _connection.ExecuteScalarAsync(Command(sql, values)) is T value ? value : default;

    /// <summary>Several statements in one round trip, each of which sees what those before it did.</summary>
    /// <param name="sql">Statements with a semicolon between them.</param>
    /// <param name="values">Of all of them.</param>
    /// <param name="read">Takes the rows of those that give rows, in their order.</param>
    public async Task<T> BatchAsync<T>(string sql, object? values, Func<SqlMapper.GridReader, Task<T>> read)
    {
        await using var rows = await _connection.QueryMultipleAsync(Command(sql, values));
        return await read(rows);
    }

    /// <exception cref="InvalidOperationException">The session has no transaction.</exception>
    public Task CommitAsync() =>
        (_transaction ?? throw new InvalidOperationException("a session that was opened and not begun has nothing to commit")).CommitAsync(Stop);

    public async ValueTask DisposeAsync()
    {
        if (_transaction is not null)
        {
            await _transaction.DisposeAsync();
        }

        await _connection.DisposeAsync();
    }

    private CommandDefinition Command(string sql, object? values) => new(sql, values is null ? null : new StorableParameters(values), _transaction, cancellationToken: Stop);
}
