using Hearth.Coordinator.Database;
using Npgsql;

namespace Hearth.Coordinator.Cluster;

/// <summary>
/// A term of the scheduler, from one activation to the next. A frozen silo wakes up believing that it still schedules; the next term
/// has begun then, and every transaction that would apply something ends here.
/// </summary>
/// <param name="Number">Grows with each.</param>
/// <param name="Alone">Whether its coordinator knows of no other.</param>
public sealed record SchedulerTerm(long Number, bool Alone)
{
    /// <summary>The first statement of a batch. Parameter: <c>@term</c>.</summary>
    internal const string Hold = "select term from scheduler where term = @term for share;";

    /// <summary>
    /// Keeps the term from ending before the transaction does. Comes first in it: a new term waits for one row lock, whoever holds
    /// that lock waits for the rest.
    /// </summary>
    /// <exception cref="TermOverException">Another term has begun.</exception>
    public async Task HoldAsync(DbSession session) => Check(await session.FindAsync<long?>(Hold, new { term = Number }));

    /// <summary>The same for a batch that begins with <see cref="Hold"/>.</summary>
    /// <param name="held">What that gave.</param>
    /// <exception cref="TermOverException">Another term has begun.</exception>
    internal void Check(long? held)
    {
        if (held is null)
        {
            throw new TermOverException(Number, Alone);
        }
    }
}

/// <summary>The scheduler that decided this has been replaced; nothing of the transaction is applied.</summary>
public sealed class TermOverException(long term, bool alone) : Exception(
    $"term {term} is over, another one has begun." + (alone ? " Another coordinator works on this database: those that share one need HEARTH_CLUSTER." : ""));

/// <summary>Begins terms.</summary>
public sealed class SchedulerTerms(NpgsqlDataSource database, ClusterSettings settings)
{
    // A silo that the others declared dead may find out seconds later; by the table that they wrote it in, it takes no term.
    private const string IsMember =
        """
        (@cluster::text is null or exists (
            select from orleans.orleansmembershiptable
            where deploymentid = @cluster and address = @address and port = @port and generation = @generation and status = 3))
        """;

    /// <summary>Takes the next term, which ends the one before. Waits for what is being applied under that.</summary>
    /// <returns>Null when the other coordinators have declared this silo dead.</returns>
    public async Task<SchedulerTerm?> TakeAsync(SiloPlace silo, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var term = await session.FindAsync<long?>(
            $"update scheduler set term = term + 1, holder = @holder, taken_at = now() where {IsMember} returning term",
            new { cluster = settings.Name, address = silo.Address, port = silo.Port, generation = silo.Generation, holder = silo.ToString() });
        return term is { } number ? new SchedulerTerm(number, settings.Name is null) : null;
    }
}

/// <summary>A silo as the membership table names it.</summary>
public sealed record SiloPlace(string Address, int Port, int Generation)
{
    public override string ToString() => $"{Address}:{Port}@{Generation}";
}
