using System.Diagnostics;
using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Generations;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Runs;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Workers;

/// <summary>What the coordinator has to tell a worker, and the wait until there is something.</summary>
public sealed class Mailbox(NpgsqlDataSource database, WorkerWaits waits, CoordinatorOptions options, Assignments assignments, GenerationMail generations)
{
    private static readonly TimeSpan LongestHold = TimeSpan.FromSeconds(2);

    /// <param name="worker">Whose mail.</param>
    /// <param name="request">What it reported.</param>
    /// <param name="taken">What came of the report.</param>
    /// <param name="hold">Ends the wait early, with an answer: the coordinator is stopping.</param>
    /// <param name="stop">Ends the call.</param>
    public async Task<SyncResponse> WaitAsync(Guid worker, SyncRequest request, Taken taken, CancellationToken hold, CancellationToken stop)
    {
        long started = Stopwatch.GetTimestamp();
        var most = TimeSpan.FromMilliseconds(Math.Clamp(request.WaitMilliseconds, 0, Math.Min(LongestHold.TotalMilliseconds, options.Lease.TotalMilliseconds / 4)));
        long? serial = await waits.SerialAsync(worker, stop);
        while (true)
        {
            var mail = await ReadAsync(worker, request, stop);
            var left = most - Stopwatch.GetElapsedTime(started);
            if (mail.IsNew || taken.Acknowledged.Count > 0 || taken.Revoked.Count > 0 || left <= TimeSpan.Zero || hold.IsCancellationRequested)
            {
                return await AnswerAsync(worker, mail, request, taken, stop);
            }

            try
            {
                serial = await waits.NextAsync(worker, serial, left, hold);
            }
            catch (OperationCanceledException) when (!stop.IsCancellationRequested)
            {
                // Answered above, with what there is.
            }
        }
    }

    private async Task<Mail> ReadAsync(Guid worker, SyncRequest request, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var reported = request.Attempts.ToDictionary(a => a.Lease.AttemptId, a => a.State);
        var (letters, asked) = await session.BatchAsync(
            $"{AttemptMail.Select}; {GenerationMail.Select}",
            new { worker },
            async rows => (await AttemptMail.ReadAsync(rows, reported), await GenerationMail.ReadAsync(rows, request.Generations)));
        return new Mail(letters, asked, letters.IsNew(request.SeenSerial) || asked.New.Any(l => !(l.SentIn <= request.SeenSerial)) || asked.Over.Count > 0);
    }

    private async Task<SyncResponse> AnswerAsync(Guid worker, Mail mail, SyncRequest request, Taken taken, CancellationToken stop)
    {
        var made = new List<Assignment>();
        foreach (var placed in mail.Letters.Placed)
        {
            if (await assignments.MakeAsync(placed, request.AssignmentVersion, stop) is { } assignment)
            {
                made.Add(assignment);
            }
        }

        var asked = await generations.AssignAsync(mail.Asked.New, stop);
        await using var session = await DbSession.OpenAsync(database, stop);
        var stamp = await session.SingleAsync<Stamp>(
            $"""
            with next as (select nextval('sync_serial') as serial),
            asked as (update generations g set sent_in = next.serial from next where g.id = any(@asked) and (g.sent_in is null or g.sent_in > @SeenSerial)),
            {AttemptMail.Stamp}
            select serial, now() as now, (select draining from workers where id = @worker) as draining from next
            """,
            new
            {
                worker,
                request.SeenSerial,
                asked = asked.Select(a => a.Id).ToArray(),
                attempts = mail.Letters.Placed.Select(p => p.Id).ToArray(),
                commands = mail.Letters.Commands.Select(c => c.Id).ToArray(),
            });
        return new SyncResponse
        {
            Serial = stamp.Serial,
            ServerTime = stamp.Now,
            LeaseSeconds = options.Lease.TotalSeconds,
            Assignments = made,
            Commands = [.. mail.Letters.Commands.Select(c => new AttemptCommand(c.Id, c.AttemptId, c.Kind, c.Prompt, c.MaxTokens, c.Temperature))],
            Acknowledged = taken.Acknowledged,
            Revoked = taken.Revoked,
            Generations = asked,
            EndedGenerations = mail.Asked.Over,
            Draining = stamp.Draining,
        };
    }

    private sealed record Mail(AttemptLetters Letters, GenerationLetters Asked, bool IsNew);

    private sealed record Stamp(long Serial, DateTimeOffset Now, bool Draining);
}
