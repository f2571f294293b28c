using System.Collections.Concurrent;
using Hearth.Tokenizers;

namespace Hearth.Training.Data;

/// <summary>
/// Encodes documents on all cores and gives them back in their order. Documents are taken together until they have enough letters for a task; of documents and what
/// they became, a bounded number of letters is in memory at once, or one document that is longer.
/// </summary>
/// <typeparam name="TEncoder">Of one thread at a time.</typeparam>
/// <typeparam name="TEncoded">What a document becomes.</typeparam>
/// <param name="encoder">Makes one more of them.</param>
/// <param name="encode">Turns a document into what it becomes.</param>
/// <param name="threads">Documents that are encoded at once, at most.</param>
internal sealed class OrderedEncoding<TEncoder, TEncoded>(Func<TEncoder> encoder, Func<TEncoder, Document, LongStep, TEncoded> encode, int threads)
{
    private const int TaskLetters = 1 << 16;
    private const long LettersAtOnce = 1 << 23;
    private static readonly TimeSpan TellEvery = TimeSpan.FromMilliseconds(200);
    private readonly ConcurrentBag<TEncoder> _idle = [];

    /// <param name="documents">In the order in which they come back.</param>
    /// <param name="letters">Of all of them.</param>
    /// <param name="step">Hears how far it is.</param>
    internal IEnumerable<(Document Document, TEncoded Encoded)> Run(IEnumerable<Document> documents, long letters, LongStep step)
    {
        using var slots = new SemaphoreSlim(threads);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(step.Stop);
        var ahead = new Queue<Batch>();
        long held = 0, done = 0;
        try
        {
            foreach (var together in Together(documents))
            {
                for (; held > 0 && held + together.Letters > LettersAtOnce; held -= ahead.Dequeue().Letters)
                {
                    foreach (var one in Finished())
                    {
                        yield return one;
                    }
                }

                together.Start(Encode, slots, ending.Token);
                ahead.Enqueue(together);
                held += together.Letters;
            }

            for (; ahead.Count > 0; ahead.Dequeue())
            {
                foreach (var one in Finished())
                {
                    yield return one;
                }
            }
        }
        finally
        {
            ending.Cancel();
            Task.WaitAll([.. ahead.Select(batch => batch.Over)], CancellationToken.None);
        }

        IEnumerable<(Document, TEncoded)> Finished()
        {
            var first = ahead.Peek();
            while (!first.Over.Wait(TellEvery, step.Stop))
            {
                step.At((done + (first.Letters * first.Share)) / Math.Max(1, letters));
            }

            done += first.Letters;
            step.At(done / (double)Math.Max(1, letters));
            return first.Result();
        }
    }

    private static IEnumerable<Batch> Together(IEnumerable<Document> documents)
    {
        var batch = new Batch();
        foreach (var document in documents)
        {
            batch.Add(document);
            if (batch.Letters >= TaskLetters)
            {
                yield return batch;
                batch = new Batch();
            }
        }

        if (batch.Documents.Count > 0)
        {
            yield return batch;
        }
    }

    private TEncoded[] Encode(Batch batch, CancellationToken stop)
    {
        var own = _idle.TryTake(out var known) ? known : encoder();
        var encoded = batch.Documents.Select(document => encode(own, document, batch.StepOf(document, stop))).ToArray();
        _idle.Add(own);
        return encoded;
    }

    private sealed class Batch
    {
        private Task<TEncoded[]> _encoded = null!;
        private double _share;

        internal List<Document> Documents { get; } = [];

        internal long Letters { get; private set; }

        /// <summary>Of the batch, how much is done.</summary>
        internal double Share => Volatile.Read(ref _share);

        /// <summary>Ends with the batch, well or not.</summary>
        internal Task Over { get; private set; } = Task.CompletedTask;

        internal void Add(Document document)
        {
            Documents.Add(document);
            Letters += document.Text.Length;
        }

        internal void Start(Func<Batch, CancellationToken, TEncoded[]> encode, SemaphoreSlim slots, CancellationToken stop)
        {
            _encoded = Task.Run(
                async () =>
                {
                    await slots.WaitAsync(stop);
                    try
                    {
                        return encode(this, stop);
                    }
                    finally
                    {
                        slots.Release();
                    }
                },
                CancellationToken.None);
            Over = _encoded.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        // A long document is alone in its batch; of short ones it would be noise.
        internal LongStep StepOf(Document document, CancellationToken stop) =>
            new(document.Text.Length >= TaskLetters ? share => Volatile.Write(ref _share, share) : null, stop);

        internal IEnumerable<(Document, TEncoded)> Result() => Documents.Zip(_encoded.GetAwaiter().GetResult());
    }
}
