using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Blocks;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tokenizers;
using Hearth.Training.Chat;
using Hearth.Training.Checkpoints;
using Hearth.Training.Evaluation;
using Hearth.Training.Optim;
using Hearth.Training.Protocol;
using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Training;

/// <summary>What a run trains with: model, optimizer, data and the device they are on. The loop itself is <see cref="Trainer"/>.</summary>
public sealed class TrainSession : IDisposable
{
    private readonly HostTensors _hostWeights = new();
    private readonly HostTensors _hostOptimizer = new();
    private readonly HostTensors _hostAverage = new();
    private readonly byte[] _config;

    private TrainSession(TrainerJob job, MemoryFit fit, ITrainingData data, int rows, StartingPoint? start, Func<LanguageModel, StepRecorder>? recorder)
    {
        var plan = fit.Plan;
        Job = job;
        Fit = fit;
        Data = data;
        MicroRows = rows;
        Device = torch.device(job.Device);
        bool wide = job.Spec.Train.Precision == "fp64";
        var dtype = wide ? torch.float64 : torch.float32;
        long? seed = job.ResumePath is null && start is null ? SeedMix.Of(job.Spec.Train.Seed, RandomStream.Weights, 0) : null;
        Model = plan.Build(dtype, Device, seed, job.Spec.Train.Precision == "bf16" ? torch.bfloat16 : dtype);

        // Before the optimizer and the average take theirs from the weights.
        start?.Load(Model);
        Optimizer = Optimizer.Create(Model, job.Spec.Optimizer, job.Spec.Train.Seed);
        Recorder = recorder?.Invoke(Model) ?? new StepRecorder(Model, RecordingMark.Of(job));
        Average = job.Spec.Optimizer.Averages ? new Ema(Model, job.Spec.Optimizer) : null;
        Threads = torch.get_num_threads();
        _config = JsonSerializer.SerializeToUtf8Bytes(new CheckpointConfig { Model = plan.Config, Run = job.Spec }, Json.Pretty);
    }

    public TrainerJob Job { get; }
    public RunSpec Spec => Job.Spec;
    public ModelPlan Plan => Fit.Plan;

    /// <summary>Against the memory of <see cref="Device"/>.</summary>
    public MemoryFit Fit { get; }
    public ITrainingData Data { get; }
    public LanguageModel Model { get; }
    public Optimizer Optimizer { get; }

    /// <summary>Runs the model's passes.</summary>
    public StepRecorder Recorder { get; }

    /// <summary>How conversations are written; null = the run learns from texts.</summary>
    public IChatTemplate? Template { get; private init; }

    /// <summary>The weights' average, where the run keeps one: what is evaluated, sampled and exported.</summary>
    public Ema? Average { get; }
    public Device Device { get; }

    /// <summary>Rows of seq_len in a micro-batch, at most.</summary>
    public int MicroRows { get; }
    public int Threads { get; }

    /// <summary>Checks the job, prepares its data where that was not done before, builds the model: with the seed's weights or those that it starts from, or, where the job resumes, with room for those that <see cref="Load"/> reads.</summary>
    /// <param name="job">The attempt.</param>
    /// <param name="sink">Hears of progress.</param>
    /// <param name="control">Stops it.</param>
    /// <param name="freeBytes">Memory of a device; null = as the device says.</param>
    /// <param name="recorder">Makes what runs the model's passes; null = as the device allows.</param>
    /// <exception cref="BadInputException">The spec or the dataset is wrong; every error in words.</exception>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    public static TrainSession Open(TrainerJob job, IEventSink sink, TrainerControl control, Func<Device, long>? freeBytes = null, Func<LanguageModel, StepRecorder>? recorder = null)
    {
        if (job.Threads > 0)
        {
            torch.set_num_threads(job.Threads);
        }

        // Exact resume needs the same bits from the same step on the same card.
        if (torch.device(job.Device).index >= 0)
        {
            Determinism.Set(strict: job.Spec.Train.Exact);
        }

        using var json = JsonSerializer.SerializeToDocument(job.Spec, Json.Wire);
        var run = RunChecks.Validate(json.RootElement);
        if (run.Spec is null)
        {
            throw new BadInputException(string.Join(" ", run.Errors.Select(e => e.Message)));
        }

        job = job with { Spec = run.Spec };
        var start = Start(job, run.Plan!, sink);
        var data = ShardData.Open(job, run.Plan!.VocabSize, sink, control, start);
        if (start is not null && start.Tokenizer.Sha256 != data.Tokenizer.Sha256)
        {
            throw new BadInputException($"start_from was trained with the tokenizer {start.Tokenizer.Sha256}; the dataset was packed with {data.Tokenizer.Sha256}. Allowed: the same tokenizer.");
        }

        var template = run.Spec.Task == RunTasks.Sft ? Chat(data.Tokenizer, run.Spec) : null;
        control.ThrowIfStopped();
        sink.Emit(new StartingEvent("building the model", 0));
        var fit = new MemoryFit(run.Plan, run.Spec, job.Device, (freeBytes ?? DeviceFacts.FreeBytes)(torch.device(job.Device)));
        var session = new TrainSession(job, fit, data, ChooseRows(job, fit, sink), start, recorder) { Template = template };
        bool head = session.Model.Terms.Contains(DecisionHeadConfig.DecisionTerm);
        if (head != data.Decides)
        {
            sink.Emit(new LogEvent(LogLevel.Warning, head
                ? "The model has a decision head, and no training document has a decision_label: the head does not learn."
                : "Training documents have a decision_label, and the model has no decision head: the labels are not used."));
        }

        return session;
    }

    // A job that resumes has its weights in the checkpoint; what it once began with need not be here any more.
    private static StartingPoint? Start(TrainerJob job, ModelPlan plan, IEventSink sink)
    {
        if (job.Spec.StartFrom.Length == 0 || job.ResumePath is not null)
        {
            return null;
        }

        sink.Emit(new StartingEvent("verifying the checkpoint to start from", 0));
        var start = StartingPoint.Of(job);
        start.CheckModel(plan);
        return start;
    }

    // The run's own prompt is tried now, not at the first sample.
    private static IChatTemplate Chat(ITokenizer tokenizer, RunSpec spec)
    {
        var template = ChatTemplates.Tuned(tokenizer, spec.Sft);
        if (spec.Sample.EverySteps > 0)
        {
            _ = ChatTokens.Prompt(tokenizer, template, [new ChatMessage(ChatRole.User, spec.Sample.Prompt)]);
        }

        return template;
    }

    /// <summary>How the batch of a zero-based step is cut.</summary>
    public BatchShape ShapeAt(long step) => BatchShape.At(Spec, MicroRows, step);

    /// <summary>The state before the first step.</summary>
    public TrainState NewState() => new()
    {
        Seed = Spec.Train.Seed,
        Exact = Spec.Train.Exact,
        Threads = Threads,
        MicroBatch = MicroRows,
        Device = Job.Device,
        DeviceModel = DeviceFacts.Model(Device),
        Libtorch = DeviceFacts.LibtorchVersion,
        Precision = Spec.Train.Precision,
        Dataset = Data.Key,
    };

    /// <summary>Some of a batch's rows on the device: ids and labels [B,T], int64.</summary>
    /// <param name="rows">The batch.</param>
    /// <param name="first">The first row taken.</param>
    /// <param name="count">Rows taken.</param>
    /// <param name="totals">Counts of the whole batch.</param>
    public LossInput Input(TrainingRows rows, int first, int count, LossTotals totals) =>
        new(Rows(rows.Ids, rows.Length, first, count), Rows(rows.Labels, rows.Length, first, count), totals) { Extras = rows.Extras(first, count) };

    /// <summary>Means over the fixed validation rows, of the average where the run keeps one, and the weights' own beside; null when there are none.</summary>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    public ValidationMeans? Evaluate(TrainerControl control)
    {
        using var quiet = torch.no_grad();
        var rows = Data.Validation(Spec.Eval.Rows);
        if (rows.Count == 0)
        {
            return null;
        }

        var raw = Means(rows, control);
        if (Average is null)
        {
            return raw;
        }

        using var averaged = Average.Use();
        return Means(rows, control) with { RawLoss = raw.Loss };
    }

    private ValidationMeans Means(TrainingRows rows, TrainerControl control)
    {
        var totals = Model.Count(rows);
        var names = Model.Terms.ToList();
        int[] terms = [0, .. Model.EvaluationTerms.Select(name => names.IndexOf(name))];
        double[] sums = new double[terms.Length];
        for (int first = 0; first < rows.Count; first += MicroRows)
        {
            control.ThrowIfStopped();
            using var scope = torch.NewDisposeScope();
            int count = Math.Min(MicroRows, rows.Count - first);
            var loss = Model.Loss(Input(rows, first, count, totals));
            for (int k = 0; k < terms.Length; k++)
            {
                sums[k] += loss.Terms[terms[k]].Sum.Number();
            }
        }

        double Mean(int k) => sums[k] / Math.Max(1, totals.Counts[terms[k]]);
        var means = new ValidationMeans(Mean(0), Model.EvaluationTerms.Index().ToDictionary(term => term.Item, term => Mean(term.Index + 1), StringComparer.Ordinal));
        return means with { BitsPerByte = TargetBytes.Of(rows, Data.Tokenizer).BitsPerByte(means.Loss, totals.Counts[0]) };
    }

    /// <summary>Copies all tensors to host memory: the only part of a checkpoint that training waits for.</summary>
    public void Snapshot()
    {
        _hostWeights.Take(Model.NamedParameters);
        _hostOptimizer.Take(Optimizer.State);
        _hostAverage.Take(Average?.State ?? []);
    }

    /// <summary>The checkpoint of the last <see cref="Snapshot"/>.</summary>
    public CheckpointContent Content(TrainState state, double pauseSeconds) => new(
        state,
        _config,
        Data.Tokenizer,
        _hostWeights.Write,
        _hostOptimizer.Write,
        Average is null ? null : _hostAverage.Write,
        pauseSeconds);

    /// <summary>Puts weights, optimizer and state back to those of a verified checkpoint.</summary>
    /// <exception cref="BadInputException">It belongs to another tokenizer, seed or model.</exception>
    public TrainState Load(string path, IEventSink sink)
    {
        var manifest = CheckpointFolder.ReadJson<CheckpointManifest>(path, CheckpointFolder.ManifestName);
        if (manifest.TokenizerSha256 != Data.Tokenizer.Sha256)
        {
            throw new BadInputException(
                $"The checkpoint {path} was trained with the tokenizer {manifest.TokenizerSha256}; the dataset's is {Data.Tokenizer.Sha256}. Allowed: the same tokenizer.");
        }

        var config = CheckpointFolder.ReadJson<CheckpointConfig>(path, CheckpointFolder.ConfigName);
        if (!JsonNode.DeepEquals(config.Model, Plan.Config))
        {
            throw new BadInputException($"The checkpoint {path} is of the model {config.Model.ToJsonString()}; the run's is {Plan.Config.ToJsonString()}.");
        }

        var then = CheckpointFolder.ReadJson<TrainState>(path, CheckpointFolder.StateName);
        if (then.Seed != Spec.Train.Seed)
        {
            throw new BadInputException($"The checkpoint {path} has the seed {then.Seed}; train.seed is {Spec.Train.Seed}. Allowed: {then.Seed}.");
        }

        TensorFile.Load(Path.Combine(path, CheckpointFolder.WeightsName), [.. Model.NamedParameters]);
        TensorFile.Load(Path.Combine(path, CheckpointFolder.OptimizerName), Optimizer.State);
        Optimizer.Steps = then.Step - then.Skipped;
        LoadAverage(path, manifest);
        var now = NewState();

        // Before the first step nothing has been decided under what was.
        foreach (var difference in then.Step == 0 ? [] : ResumeDifference.Between((config.Run, then), (Spec, now)))
        {
            sink.Emit(new LogEvent(LogLevel.Warning, difference.ToString()));
        }

        return then with
        {
            Exact = then.Exact && now.Exact,
            Threads = now.Threads,
            MicroBatch = now.MicroBatch,
            Device = now.Device,
            DeviceModel = now.DeviceModel,
            Libtorch = now.Libtorch,
            Precision = now.Precision,
            Dataset = now.Dataset,
        };
    }

    // What job, spec or checkpoint says comes first: other rows than before would be other bits.
    private static int ChooseRows(TrainerJob job, MemoryFit fit, IEventSink sink)
    {
        int before = job.ResumePath is { } path ? CheckpointFolder.ReadJson<TrainState>(path, CheckpointFolder.StateName).MicroBatch : 0;
        if (new[] { job.MicroBatch, job.Spec.Train.MicroBatch, before }.FirstOrDefault(r => r > 0) is > 0 and var asked)
        {
            return Math.Min(asked, fit.BatchRows);
        }

        var (rows, warning) = fit.Choose();
        if (warning is not null)
        {
            sink.Emit(new LogEvent(LogLevel.Warning, warning));
        }

        return rows;
    }

    private Tensor Rows(int[] tokens, int length, int first, int rows) =>
        HostValues.TensorOf<int>(tokens.AsSpan(first * length, rows * length), rows, length).to(torch.int64).to(Device);

    private void LoadAverage(string path, CheckpointManifest manifest)
    {
        if (Average is null)
        {
            return;
        }

        if (!manifest.Files.Any(f => f.Name == CheckpointFolder.AverageName))
        {
            throw new BadInputException($"{(Spec.Optimizer.Ema > 0 ? $"optimizer.ema is {Spec.Optimizer.Ema}" : $"optimizer.swa_snapshots is {Spec.Optimizer.SwaSnapshots}")}, but the checkpoint {path} holds no average. Allowed: 0, or a run that had it from its start.");
        }

        TensorFile.Load(Path.Combine(path, CheckpointFolder.AverageName), Average.State);
    }

    /// <summary>Bytes of the device in use; of the process on a CPU.</summary>
    public long MemoryBytes() => DeviceMemory.Use(Device).Allocated;

    public void Dispose()
    {
        _hostWeights.Dispose();
        _hostOptimizer.Dispose();
        _hostAverage.Dispose();
        Recorder.Dispose();
        Average?.Dispose();
        Optimizer.Dispose();
        Data.Dispose();
        foreach (var parameter in Model.Parameters)
        {
            parameter.Dispose();
        }
    }
}

/// <summary>What an evaluation found.</summary>
/// <param name="Loss">Mean next-token loss in nats.</param>
/// <param name="Terms">Of <see cref="LanguageModel.EvaluationTerms"/>.</param>
public sealed record ValidationMeans(double Loss, IReadOnlyDictionary<string, double> Terms)
{
    /// <summary>The loss of the weights themselves, where <see cref="Loss"/> is their average's.</summary>
    public double? RawLoss { get; init; }

    /// <summary><see cref="Loss"/> in bits per byte of text, which compares models of different tokenizers; null where the targets have no text.</summary>
    public double? BitsPerByte { get; init; }

    /// <summary>What is reported beside the loss, by name; null where there is nothing.</summary>
    public IReadOnlyDictionary<string, double>? Beside()
    {
        var beside = new Dictionary<string, double>(Terms, StringComparer.Ordinal);
        foreach (var (name, value) in new[] { (EvalEvent.BitsPerByte, BitsPerByte), (EvalEvent.Raw, RawLoss) })
        {
            if (value is { } known)
            {
                beside[name] = known;
            }
        }

        return beside.Count > 0 ? beside : null;
    }
}

/// <summary>What the loop needs of a dataset.</summary>
public interface ITrainingData : IDisposable
{
    ITokenizer Tokenizer { get; }

    /// <summary>Names its content: equal keys, equal rows.</summary>
    string Key { get; }

    /// <summary>The batch of a step, in rows of its stage's length: a pure function of (seed, step).</summary>
    TrainingRows Batch(long step);

    /// <summary>A sample of the validation rows, seq_len tokens each: the same for every run on the data, and more rows begin with those of fewer.</summary>
    TrainingRows Validation(int rows);
}

/// <summary><c>config.json</c> of a checkpoint.</summary>
public sealed record CheckpointConfig
{
    /// <summary>Every field of the model's config.</summary>
    public required JsonObject Model { get; init; }
    public required RunSpec Run { get; init; }
}
