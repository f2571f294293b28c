using Npgsql;

namespace Hearth.Coordinator.Hosting;

/// <summary>
/// Who runs the scheduler. A seam: PostgreSQL's advisory lock holds it here, a cluster of actors could. Two leaders for a moment
/// do no harm, since every command is applied against the version it was decided on.
/// </summary>
public interface ILeadership : IAsyncDisposable
{
    /// <summary>Takes the lead if it is free, and tells whether it is held now.</summary>
    Task<bool> HoldAsync(CancellationToken stop);
}

/// <summary>Leads while a session of its own holds the lock; the database lets go of it when the session dies.</summary>
public sealed class PostgresLeadership(NpgsqlDataSource database) : ILeadership
{
    // Any constant will do, as long as all coordinators of a database take the same lock.
    private const long Lock = 0x4865617274684C;
    private NpgsqlConnection? _session;
    private bool _held;

    public async Task<bool> HoldAsync(CancellationToken stop)
    {
        try
        {
            _session ??= await database.OpenConnectionAsync(stop);
            await using var command = new NpgsqlCommand(_held ? "select true" : $"select pg_try_advisory_lock({Lock})", _session);
            return _held = (bool)(await command.ExecuteScalarAsync(stop))!;
        }
        catch
        {
            await ReleaseAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync() => await ReleaseAsync();

    private async Task ReleaseAsync()
    {
        var session = _session;
        (_session, _held) = (null, false);
        if (session is null)
        {
            return;
        }

        try
        {
            await using var release = new NpgsqlCommand("select pg_advisory_unlock_all()", session);
            await release.ExecuteNonQueryAsync();
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
        {
            // The session is gone, and the lock with it.
        }

        await session.DisposeAsync();
    }
}
