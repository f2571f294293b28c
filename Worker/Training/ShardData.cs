using Hearth.Models;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Training.Chat;
using Hearth.Training.Checkpoints;
using Hearth.Training.Data;
using Hearth.Training.Protocol;
using Hearth.Training.Tokenizers;

namespace Hearth.Training;

/// <summary>
/// Training rows out of a prepared folder: windows of the stage's length, in the order of (seed, step). Each stage of a length
/// curriculum starts an order of its own at its first step. Shards with row metadata or a loss mask give documents instead of windows: one a row, or,
/// where the model keeps documents apart, as many as fit (<see cref="PackedRows"/>).
/// </summary>
public sealed class ShardData : ITrainingData
{
    private readonly Shard _train;
    private readonly Shard _validation;
    private readonly LengthCurriculum _stages;
    private readonly BatchOrder[] _orders;
    private readonly int _longest;
    private readonly int _batchTokens;
    private readonly bool _masksDocuments;
    private readonly DocumentRows? _trainRows;
    private readonly DocumentRows? _validationRows;
    private readonly PackedRows[]? _trainPacks;
    private readonly PackedRows? _validationPacks;

    private ShardData(string folder, TrainerJob job)
    {
        Tokenizer = TokenizerFile.LoadFrom(folder);
        Key = PreparedDataset.KeyOf(folder);
        _train = Shard.Open(Path.Combine(folder, PreparedDataset.TrainName));
        _validation = Shard.Open(Path.Combine(folder, PreparedDataset.ValidationName));
        _longest = job.Spec.Data.SeqLen;
        _batchTokens = job.Spec.Train.BatchTokens;
        _masksDocuments = job.Spec.Data.DocMask;
        _stages = job.Spec.Train.LengthCurriculum.Or(_longest);
        foreach (var (shard, name) in new[] { (_train, "training"), (_validation, "validation") })
        {
            if (shard.TokenizerSha256 != Tokenizer.Sha256)
            {
                throw new BadInputException($"The {name} shard was packed with the tokenizer {shard.TokenizerSha256}; the dataset's is {Tokenizer.Sha256}.");
            }

            if (shard.Rows is null && !shard.IsMasked && shard.Tokens < _longest)
            {
                throw new BadInputException($"The dataset's {name} part has {shard.Tokens} tokens, less than one row of {_longest} (data.seq_len).");
            }
        }

        if (_train.Rows is null && _train.IsMasked && _masksDocuments)
        {
            _trainPacks = [.. _stages.Stages.Select(stage => new PackedRows(_train, stage.Length, Tokenizer.EndToken))];
            _validationPacks = new PackedRows(_validation, _longest, Tokenizer.EndToken);
        }
        else if (_train.IsMasked || (_train.Rows is not null && _validation.Rows is not null))
        {
            double[] weights = DocumentRows.ClassWeights(_train);
            _trainRows = new DocumentRows(_train, Tokenizer.EndToken, weights);
            _validationRows = new DocumentRows(_validation, Tokenizer.EndToken, weights);
        }

        _orders = [.. _stages.Stages.Select((stage, i) => new BatchOrder(_trainPacks?[i].Count ?? _trainRows?.Count ?? _train.Tokens / stage.Length, job.Spec.Train.Seed, i))];
    }

    public ITokenizer Tokenizer { get; }

    public string Key { get; }

    /// <summary>Whether any training document has a class for a decision head.</summary>
    public bool Decides => _train.Rows?.Any(r => r.Decides) ?? false;

    /// <summary>Opens the job's prepared folder, or prepares its raw dataset first.</summary>
    public static ShardData Open(TrainerJob job, int vocabSize, IEventSink sink, TrainerControl control)
    {
        try
        {
            string folder = job.PreparedPath is { } prepared ? Checked(prepared, sink, control) : Prepare(job, vocabSize, sink, control);
            var data = new ShardData(folder, job);
            foreach (string notice in ChatNotices.Of(PreparedDataset.ManifestOf(folder), data._train, data._validation, data._longest))
            {
                sink.Emit(new LogEvent(LogLevel.Warning, notice));
            }

            return data;
        }
        catch (Exception e) when (e is DatasetException or TokenizerException or ChatException)
        {
            throw new BadInputException(e.Message);
        }
    }

    public TrainingRows Batch(long step)
    {
        int stage = _stages.StageAt(step), length = _stages.Stages[stage].Length, rows = _batchTokens / length;
        long own = step - _stages.FirstStep(stage);
        long Place(int row) => _orders[stage].Window(own, row, rows);
        return _trainPacks?[stage].Read(rows, Place) ?? _trainRows?.Read(length, rows, Place) ?? Windows(_train, length, rows, Place);
    }

    public TrainingRows Validation(int rows) =>
        _validationPacks?.Read((int)Math.Min(rows, _validationPacks.Count), row => row)
        ?? _validationRows?.Read(_longest, (int)Math.Min(rows, _validationRows.Count), row => row)
        ?? Windows(_validation, _longest, (int)Math.Min(rows, _validation.Tokens / _longest), row => row);

    private TrainingRows Windows(Shard shard, int length, int rows, Func<int, long> window)
    {
        int[] ids = new int[rows * length];
        int[]? documents = _masksDocuments ? new int[ids.Length] : null;
        for (int row = 0; row < rows; row++)
        {
            long start = window(row) * length;
            shard.Read(start, ids.AsSpan(row * length, length));
            if (documents is not null)
            {
                shard.Documents(start, documents.AsSpan(row * length, length));
            }
        }

        return new TrainingRows(ids, ids, length) { Documents = documents };
    }

    public void Dispose()
    {
        _train.Dispose();
        _validation.Dispose();
    }

    private static string Checked(string folder, IEventSink sink, TrainerControl control)
    {
        var tell = Starting(sink, control);
        PreparedDataset.Verify(folder, new LongStep(share => tell(PreparedDataset.Verifying, share), control.StopToken));
        return folder;
    }

    private static string Prepare(TrainerJob job, int vocabSize, IEventSink sink, TrainerControl control)
    {
        string source = job.DatasetPath ?? throw new BadInputException("The job has neither dataset_path nor prepared_path.");
        string folder = PreparedDataset.Prepare(
            source,
            job.CachePath,
            new Preparation(vocabSize, job.Spec.Data.ValidationFraction, job.Spec.Data.Tokenizer)
            {
                Given = Inherited(job),
                Chat = job.Spec.Task == RunTasks.Sft ? job.Spec.Sft : null,
            },
            Starting(sink, control),
            control.StopToken);
        sink.Emit(new PreparedEvent(folder, PreparedDataset.KeyOf(folder)));
        return folder;
    }

    // A run that begins with a checkpoint reads text as that was taught to; when it resumes, its own checkpoints carry the same.
    private static ITokenizer? Inherited(TrainerJob job) => job.Spec.StartFrom.Length == 0 ? null
        : job.ResumePath is { } resume ? CheckpointFolder.Tokenizer(resume)
        : job.StartPath is { } start ? StartingPoint.Open(start).Tokenizer
        : throw new BadInputException($"start_from is {job.Spec.StartFrom}, and the job has no start_path.");

    // Tells of every twentieth of what goes on.
    private static Action<string, double> Starting(IEventSink sink, TrainerControl control)
    {
        (string What, int Twentieth) shown = ("", -1);
        return (what, share) =>
        {
            control.ThrowIfStopped();
            if (shown != (what, (int)(share * 20)))
            {
                shown = (what, (int)(share * 20));
                sink.Emit(new StartingEvent(what, share));
            }
        };
    }
}
