using Hearth.Protocol;
using Hearth.Training.Data;
using Hearth.Training.Protocol;
using Hearth.Training.Tokenizers;

namespace Hearth.Training;

/// <summary>Training rows out of a prepared folder: windows of seq_len tokens, in the order of (seed, step).</summary>
public sealed class ShardData : ITrainingData
{
    private readonly Shard _train;
    private readonly Shard _validation;
    private readonly BatchOrder _order;
    private readonly int _length;
    private readonly int _rows;

    private ShardData(string folder, TrainerJob job)
    {
        Tokenizer = TokenizerFile.LoadFrom(folder);
        _train = Shard.Open(Path.Combine(folder, PreparedDataset.TrainName));
        _validation = Shard.Open(Path.Combine(folder, PreparedDataset.ValidationName));
        _length = job.Spec.Data.SeqLen;
        _rows = job.Spec.Train.BatchTokens / _length;
        foreach (var (shard, name) in new[] { (_train, "training"), (_validation, "validation") })
        {
            if (shard.TokenizerSha256 != Tokenizer.Sha256)
            {
                throw new BadInputException($"The {name} shard was packed with the tokenizer {shard.TokenizerSha256}; the dataset's is {Tokenizer.Sha256}.");
            }

            if (shard.Tokens < _length)
            {
                throw new BadInputException($"The dataset's {name} part has {shard.Tokens} tokens, less than one row of {_length} (data.seq_len).");
            }
        }

        _order = new BatchOrder(_train.Tokens / _length, job.Spec.Train.Seed, stage: 0);
    }

    public ITokenizer Tokenizer { get; }

    /// <summary>Opens the job's prepared folder, or prepares its raw dataset first.</summary>
    public static ShardData Open(TrainerJob job, int vocabSize, IEventSink sink, TrainerControl control)
    {
        try
        {
            return new ShardData(job.PreparedPath is { } folder ? Checked(folder) : Prepare(job, vocabSize, sink, control), job);
        }
        catch (Exception e) when (e is DatasetException or TokenizerException)
        {
            throw new BadInputException(e.Message);
        }
    }

    public (int[] Ids, int[] Labels) Batch(long step)
    {
        int[] ids = new int[_rows * _length];
        for (int row = 0; row < _rows; row++)
        {
            _train.Read(_order.Window(step, row, _rows) * _length, ids.AsSpan(row * _length, _length));
        }

        return (ids, ids);
    }

    public (int[] Ids, int[] Labels) Validation(int rows)
    {
        int[] ids = new int[Math.Min(rows, _validation.Tokens / _length) * _length];
        _validation.Read(0, ids);
        return (ids, ids);
    }

    public void Dispose()
    {
        _train.Dispose();
        _validation.Dispose();
    }

    private static string Checked(string folder)
    {
        PreparedDataset.Verify(folder);
        return folder;
    }

    private static string Prepare(TrainerJob job, int vocabSize, IEventSink sink, TrainerControl control)
    {
        string source = job.DatasetPath ?? throw new BadInputException("The job has neither dataset_path nor prepared_path.");
        (string What, int Percent) shown = ("", -1);
        string folder = PreparedDataset.Prepare(
            source,
            job.CachePath,
            new Preparation(vocabSize, job.Spec.Data.ValidationFraction, job.Spec.Data.Tokenizer),
            (what, fraction) =>
            {
                control.ThrowIfStopped();
                if (shown != (what, (int)(fraction * 20)))
                {
                    shown = (what, (int)(fraction * 20));
                    sink.Emit(new StartingEvent(what, fraction));
                }
            },
            control.StopToken);
        string key = Path.GetFileName(folder)["prepared-".Length..];
        sink.Emit(new PreparedEvent(folder, key));
        return folder;
    }
}
