using Hearth.Api;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Datasets.Reading;
using Hearth.Coordinator.Datasets.Sources;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Jobs;
using Hearth.Runs;

namespace Hearth.Coordinator.Datasets.Imports;

/// <summary>
/// Makes datasets of what waits for it, one after the other. A coordinator that dies at it leaves the import running in its row; the next turn begins it anew, and what
/// was stored of it by then is found under its name and content.
/// </summary>
internal sealed class ImportJob(ImportStore imports, ImportFiles files, DatasetStore datasets, UploadStore uploads, ILogger<ImportJob> log) : IRecurringJob
{
    public const string JobName = "dataset-imports";
    private const int MostTries = 4;
    private static readonly TimeSpan Telling = TimeSpan.FromMilliseconds(500);

    public string Name => JobName;

    public string Does => "Makes datasets of uploads, paths and addresses that wait, begins anew those that were cut short, and forgets uploads of which nothing came.";

    public string Cron => "* * * * *";

    public async Task<string> RunAsync(CancellationToken stop)
    {
        int trimmed = await uploads.TrimAsync(stop), done = 0;
        for (; await imports.BeginAsync(stop) is { } import; done++)
        {
            await ImportAsync(import, stop);
        }

        return $"{Words.Number(done)} imports were dealt with, and {Words.Number(trimmed)} uploads forgotten.";
    }

    private async Task ImportAsync(ImportTurn import, CancellationToken stop)
    {
        if (import.Tries > MostTries)
        {
            string often = $"The import was cut short {MostTries} times, each time with its coordinator.";
            await imports.EndAsync(import.Id, ImportState.Failed, null, new FieldError("files", import.Source.InWords(), "an import that a coordinator lives through", often), stop);
            return;
        }

        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var (state, dataset, error) = await TryAsync(import, cancel, stop);
        await imports.EndAsync(import.Id, state, dataset, error, stop);
        log.Imported(import.Name, state.ToString(), error?.Message ?? "no fault");
        if (state == ImportState.Done && import.Source.UploadId is { } upload)
        {
            await uploads.RemoveAsync(upload, stop);
        }
    }

    private async Task<(ImportState State, Guid? Dataset, FieldError? Error)> TryAsync(ImportTurn import, CancellationTokenSource cancel, CancellationToken stop)
    {
        try
        {
            var opened = await files.OpenAsync(import, cancel.Token);
            var made = await WatchAsync(import, opened, cancel);
            return made is null
                ? (ImportState.Failed, null, DatasetRules.Taken(import.Name))
                : (ImportState.Done, made.Id, null);
        }
        catch (DatasetRefusedException e)
        {
            return (ImportState.Failed, null, e.Error);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return (ImportState.Cancelled, null, null);
        }
        catch (Exception e) when (!stop.IsCancellationRequested && e is IOException or UnauthorizedAccessException or StoreFullException)
        {
            return (ImportState.Failed, null, new FieldError("files", import.Source.InWords(), "files that can be read, and room for them", e.Message));
        }
    }

    /// <summary>Imports, and twice a second tells how far it is and hears whether it is to go on.</summary>
    private async Task<DatasetView?> WatchAsync(ImportTurn import, OpenedSource opened, CancellationTokenSource cancel)
    {
        var progress = new Box();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancel.Token);
        var telling = TellAsync(import.Id, opened, progress, cancel, over.Token);
        try
        {
            return await datasets.AddAsync(new NewDataset(import.Name, import.License, import.CreatedBy, opened.Files), cancel.Token, p => progress.Latest = new(p));
        }
        finally
        {
            await over.CancelAsync();
            await telling;
            await imports.TellAsync(import.Id, progress.Latest.Value, opened.Total(), CancellationToken.None);
        }
    }

    private async Task TellAsync(Guid id, OpenedSource opened, Box progress, CancellationTokenSource cancel, CancellationToken over)
    {
        using var timer = new PeriodicTimer(Telling);
        try
        {
            while (await timer.WaitForNextTickAsync(over))
            {
                if (!await imports.TellAsync(id, progress.Latest.Value, opened.Total(), over))
                {
                    await cancel.CancelAsync();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The import is over.
        }
        catch (Npgsql.NpgsqlException e)
        {
            // What it is for goes on; its end is told, or found out at the next turn.
            log.ImportUnheard(id, e.Message);
        }
    }

    /// <summary>The latest, from the reader's thread to the teller's.</summary>
    private sealed class Box
    {
        private volatile System.Runtime.CompilerServices.StrongBox<ReadingProgress> _latest = new();

        public System.Runtime.CompilerServices.StrongBox<ReadingProgress> Latest
        {
            get => _latest;
            set => _latest = value;
        }
    }
}
