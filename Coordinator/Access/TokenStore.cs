using Hearth.Api;
using Hearth.Coordinator.Database;
using Npgsql;

namespace Hearth.Coordinator.Access;

/// <summary>Whose secret a request carried.</summary>
public sealed record TokenOwner(Guid Id, string Name, string Role);

/// <summary>Tokens of people and scripts; workers' tokens are looked up here too, but belong to <c>workers</c>.</summary>
public sealed class TokenStore(NpgsqlDataSource database)
{
    // Any constant will do: only one coordinator may make the first token.
    private const long FirstTokenLock = 0x48656172746841;

    /// <summary>The owner of a secret that is known, not expired and not revoked; else null.</summary>
    public async Task<TokenOwner?> FindAsync(string secret, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.FindAsync<TokenOwner>(
            """
            select id, name, role from tokens where sha256 = @hash and (expires_at is null or expires_at > now())
            union all
            select id, name, 'worker' from workers where token_sha256 = @hash and not removed
            """,
            new { hash = Secrets.Hash(secret) });
    }

    /// <summary>Name of the worker that had this secret and was removed from the pool; else null.</summary>
    public async Task<string?> FindRemovedWorkerAsync(string secret, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.FindAsync<string>("select name from workers where token_sha256 = @hash and removed", new { hash = Secrets.Hash(secret) });
    }

    public async Task<IReadOnlyList<TokenView>> ListAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return [.. await session.QueryAsync<TokenView>(
            "select id, name, role, created_at, expires_at, null::text as secret from tokens order by created_at, id")];
    }

    public async Task<TokenView> CreateAsync(string name, string role, TimeSpan? life, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await InsertAsync(session, name, role, life);
    }

    /// <returns>False when there is no such token, null when it is the last one that can administer.</returns>
    public async Task<bool?> DeleteAsync(Guid id, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop);
        await LockAsync(session);
        string? role = await session.FindAsync<string>(
            "delete from tokens where id = @id returning role", new { id });
        if (role is null)
        {
            return false;
        }

        if (role == Roles.Admin && !await AnyAdminAsync(session))
        {
            return null;
        }

        await session.CommitAsync();
        return true;
    }

    /// <summary>The secret of a first admin token, or null when a valid one exists already.</summary>
    /// <param name="keep">Puts the secret where its owner finds it; the token exists only if that succeeds.</param>
    /// <param name="stop">Ends the call.</param>
    public async Task<string?> CreateFirstAdminAsync(Action<string> keep, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop);
        await LockAsync(session);
        if (await AnyAdminAsync(session))
        {
            return null;
        }

        var token = await InsertAsync(session, Roles.Admin, Roles.Admin, null);
        keep(token.Secret!);
        await session.CommitAsync();
        return token.Secret;
    }

    private static async Task<TokenView> InsertAsync(DbSession session, string name, string role, TimeSpan? life)
    {
        string secret = Secrets.NewToken();
        return await session.SingleAsync<TokenView>(
            """
            insert into tokens (id, name, role, sha256, expires_at) values (@id, @name, @role, @hash, now() + make_interval(secs => @seconds))
            returning id, name, role, created_at, expires_at, @secret as secret
            """,
            new { id = Guid.CreateVersion7(), name, role, hash = Secrets.Hash(secret), seconds = life?.TotalSeconds, secret });
    }

    private static Task<bool> AnyAdminAsync(DbSession session) =>
        session.SingleAsync<bool>(
            "select exists (select 1 from tokens where role = 'admin' and (expires_at is null or expires_at > now()))");

    private static Task LockAsync(DbSession session) =>
        session.ExecuteAsync("select pg_advisory_xact_lock(@FirstTokenLock)", new { FirstTokenLock });
}
