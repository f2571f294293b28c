using Hearth.Models;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tokenizers;
using Hearth.Training.Chat;
using Hearth.Training.Checkpoints;
using Hearth.Training.Data;
using Hearth.Training.Protocol;

namespace Hearth.Training;

/// <summary>
/// Training rows out of a prepared folder: windows of the stage's length, in the order of (seed, step). Each stage of a length
/// curriculum starts an order of its own at its first step. Shards with row metadata or a loss mask give documents instead of windows: one a row, or,
/// where the model keeps documents apart, as many as fit (<see cref="PackedRows"/>).
/// </summary>
public sealed class ShardData : ITrainingData
{
    // Of no run: rows that are held out are the same whichever run is measured on them.
    private const long ValidationSeed = 0;
    private readonly Shard _train;
    private readonly Shard _validation;
    private readonly LengthCurriculum _stages;
    private readonly BatchOrder[] _orders;
    private readonly IRowSource[] _trainRows;
    private readonly IRowSource _validationRows;
    private readonly BatchOrder _validationOrder;
    private readonly int _batchTokens;

    private ShardData(string folder, TrainerJob job)
    {
        Tokenizer = TokenizerFile.LoadFrom(folder);
        Key = PreparedDataset.KeyOf(folder);
        _train = Shard.Open(Path.Combine(folder, PreparedDataset.TrainName));
        _validation = Shard.Open(Path.Combine(folder, PreparedDataset.ValidationName));
        int longest = job.Spec.Data.SeqLen;
        _batchTokens = job.Spec.Train.BatchTokens;
        _stages = job.Spec.Train.LengthCurriculum.Or(longest);
        foreach (var (shard, name) in new[] { (_train, "training"), (_validation, "validation") })
        {
            if (shard.TokenizerSha256 != Tokenizer.Sha256)
            {
                throw new BadInputException($"The {name} shard was packed with the tokenizer {shard.TokenizerSha256}; the dataset's is {Tokenizer.Sha256}.");
            }

            if (shard.Rows is null && !shard.IsMasked && shard.Tokens < longest)
            {
                throw new BadInputException($"The dataset's {name} part has {shard.Tokens} tokens, less than one row of {longest} (data.seq_len).");
            }
        }

        var rowsOf = RowsOf(job.Spec.Data.DocMask);
        _trainRows = [.. _stages.Stages.Select(stage => rowsOf(_train, stage.Length))];
        _validationRows = rowsOf(_validation, longest);
        _validationOrder = new BatchOrder(_validationRows.Count, ValidationSeed, stage: 0);
        _orders = [.. _trainRows.Select((rows, stage) => new BatchOrder(rows.Count, job.Spec.Train.Seed, stage))];
    }

    public ITokenizer Tokenizer { get; }

    public string Key { get; }

    /// <summary>Whether any training document has a class for a decision head.</summary>
    public bool Decides => _train.Rows?.Any(r => r.Decides) ?? false;

    /// <summary>Opens the job's prepared folder, or prepares its raw dataset first.</summary>
    /// <param name="job">The attempt.</param>
    /// <param name="vocabSize">The model's.</param>
    /// <param name="sink">Hears of progress.</param>
    /// <param name="control">Stops it.</param>
    /// <param name="start">What the run begins with, where it is open already.</param>
    public static ShardData Open(TrainerJob job, int vocabSize, IEventSink sink, TrainerControl control, StartingPoint? start = null)
    {
        try
        {
            string folder = job.PreparedPath is { } prepared ? Checked(prepared, sink, control) : Prepare(job, vocabSize, sink, control, start);
            var data = new ShardData(folder, job);
            foreach (string notice in ChatNotices.Of(PreparedDataset.ManifestOf(folder), data._train, data._validation, job.Spec.Data.SeqLen))
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
        int stage = _stages.StageAt(step), rows = _batchTokens / _stages.Stages[stage].Length;
        long own = step - _stages.FirstStep(stage);
        return _trainRows[stage].Read(rows, row => _orders[stage].Window(own, row, rows));
    }

    public TrainingRows Validation(int rows)
    {
        int read = (int)Math.Min(rows, _validationRows.Count);
        return _validationRows.Read(read, row => _validationOrder.Window(0, row, read));
    }

    public void Dispose()
    {
        _train.Dispose();
        _validation.Dispose();
    }

    // Both parts are read alike: the training shard decides.
    private Func<Shard, int, IRowSource> RowsOf(bool masksDocuments)
    {
        int pad = Tokenizer.EndToken;
        if (_train.Rows is null && _train.IsMasked && masksDocuments)
        {
            return (shard, length) => new PackedRows(shard, length, pad);
        }

        if (!_train.IsMasked && (_train.Rows is null || _validation.Rows is null))
        {
            // The first token of a row is no target: held-out rows share one, so that every token but the shard's first is.
            return (shard, length) => new WindowRows(shard, length, shard == _validation ? length - 1 : length, masksDocuments);
        }

        double[] weights = DocumentRows.ClassWeights(_train);
        return (shard, length) => new DocumentRows(shard, length, pad, weights);
    }

    private static string Checked(string folder, IEventSink sink, TrainerControl control)
    {
        var tell = Starting(sink, control);
        PreparedDataset.Verify(folder, new LongStep(share => tell(PreparedDataset.Verifying, share), control.StopToken));
        return folder;
    }

    private static string Prepare(TrainerJob job, int vocabSize, IEventSink sink, TrainerControl control, StartingPoint? start)
    {
        string source = job.DatasetPath ?? throw new BadInputException("The job has neither dataset_path nor prepared_path.");
        string folder = PreparedDataset.Prepare(
            source,
            job.CachePath,
            new Preparation(vocabSize, job.Spec.Data.ValidationFraction, job.Spec.Data.Tokenizer)
            {
                Given = Inherited(job, start),
                Chat = job.Spec.Task == RunTasks.Sft ? job.Spec.Sft : null,
            },
            Starting(sink, control),
            control.StopToken);
        sink.Emit(new PreparedEvent(folder, PreparedDataset.KeyOf(folder)));
        return folder;
    }

    // A run that begins with a checkpoint reads text as that was taught to; when it resumes, its own checkpoints carry the same.
    private static ITokenizer? Inherited(TrainerJob job, StartingPoint? start) => job.Spec.StartFrom.Length == 0 ? null
        : job.ResumePath is { } resume ? CheckpointFolder.Tokenizer(resume)
        : (start ?? StartingPoint.Of(job)).Tokenizer;

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
