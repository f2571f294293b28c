using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hearth.Runs;

/// <summary>
/// What a run is to do: data, never code. One file form serves the form, the CLI, the API and the trainer alone.
/// Read it with <see cref="RunSpecReader"/>, which rejects unknown keys and values out of range.
/// </summary>
public sealed record RunSpec
{
    public required string Name { get; init; }
    public required ModelSpec Model { get; init; }

    /// <summary>One of <see cref="RunTasks"/>.</summary>
    public string Task { get; init; } = RunTasks.Pretrain;

    /// <summary>
    /// The checkpoint whose weights and tokenizer the run begins with: <c>r-12</c> for a run's newest, <c>r-12@500</c> for that of a step; the folder of a
    /// checkpoint or of an exported model when the trainer runs alone. Empty = random weights, and a tokenizer of its own. Optimizer, step and data order begin anew.
    /// </summary>
    public string StartFrom { get; init; } = "";
    public SftSpec Sft { get; init; } = new();
    public required DataSpec Data { get; init; }
    public TrainSpec Train { get; init; } = new();
    public OptimizerSpec Optimizer { get; init; } = new();
    public EvalSpec Eval { get; init; } = new();
    public SampleSpec Sample { get; init; } = new();
    public CheckpointSpec Checkpoint { get; init; } = new();
    public PlacementSpec Run { get; init; } = new();

    /// <summary>The same run with each block run again in the backward pass.</summary>
    public RunSpec Recomputing() => this with { Train = Train with { Recompute = "block" } };
}

/// <summary>A family, one of its sizes, and fields of the family's config that override the size's.</summary>
public sealed record ModelSpec
{
    public required string Family { get; init; }
    public required string Size { get; init; }

    /// <summary>Every other key under <c>model:</c>; the family checks names and values.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement> Overrides { get; init; } = [];
}

public sealed record DataSpec
{
    /// <summary>Name of a dataset that the coordinator knows; a file path when the trainer runs alone.</summary>
    public required string Dataset { get; init; }

    /// <summary>Tokens per training row, T. Under a length curriculum those of its last stage, whatever was given: the length of validation rows.</summary>
    public int SeqLen { get; init; } = 256;

    /// <summary><c>byte_bpe</c>, <c>sentencepiece</c> or <c>length_max</c>: trained on the dataset to the model's vocabulary size.</summary>
    public string Tokenizer { get; init; } = TokenizerKinds.ByteBpe;

    /// <summary>
    /// Keeps the documents of a row apart: no attention from one to another, no target in another. Positions go on over the row. For
    /// families whose tokens meet in attention alone.
    /// </summary>
    public bool DocMask { get; init; }

    /// <summary>Share of documents held out for validation, chosen by document hash.</summary>
    public double ValidationFraction { get; init; } = 0.02;
}

/// <summary>How conversations are written, for <see cref="RunTasks.Sft"/>.</summary>
public sealed record SftSpec
{
    /// <summary>One of <see cref="Protocol.ChatTemplateNames"/>; auto = the one whose tokens the tokenizer has, plain where it has none.</summary>
    public string Template { get; init; } = Protocol.ChatTemplateNames.Auto;

    /// <summary>VUAF's training category; empty = its first slot.</summary>
    public string Category { get; init; } = "";

    /// <summary>What the template writes, in one word: equal words, equal rows.</summary>
    [JsonIgnore]
    public string Form => $"{Template}/{Category}";
}

public sealed record TrainSpec
{
    public int Steps { get; init; } = 1000;

    /// <summary>Tokens per optimizer step over all micro-batches; a multiple of seq_len.</summary>
    public int BatchTokens { get; init; } = 4096;

    /// <summary>
    /// Row lengths that grow over the run; empty = data.seq_len throughout. Data order starts anew in each stage.
    /// </summary>
    public LengthCurriculum LengthCurriculum { get; init; } = LengthCurriculum.None;

    /// <summary>
    /// Rows of seq_len per micro-batch; 0 = chosen per device. Shorter rows of a curriculum come in as many as hold the same tokens.
    /// Never changes the global batch or the data order.
    /// </summary>
    public int MicroBatch { get; init; }

    /// <summary><c>fp32</c>, <c>bf16</c> (matrix products in bf16, masters fp32) or <c>fp64</c> (CPU only).</summary>
    public string Precision { get; init; } = "fp32";

    /// <summary><c>fp32</c>, or <c>none</c> (bf16 with <c>adamw8bit</c>): large weights and their gradients in bf16 alone, rounded at random at each step.</summary>
    public string Master { get; init; } = "fp32";

    /// <summary>
    /// <c>none</c>: all that the backward pass reads is kept; <c>block</c>: only what crosses between a model's blocks, and each block
    /// runs again in the backward pass (Chen et al., arXiv 1604.06174).
    /// </summary>
    public string Recompute { get; init; } = "none";

    /// <summary>
    /// The same run gives the same bits, straight or resumed, on cards of one model: algorithms that cannot promise it are refused. False
    /// lets libtorch take the fastest, and the run is labelled "not exact".
    /// </summary>
    public bool Exact { get; init; } = true;
    public long Seed { get; init; } = 1337;
}

public sealed record OptimizerSpec
{
    /// <summary>
    /// <c>adamw</c>; <c>adamw8bit</c>: the same with moments of large tensors in 8 bits; or <c>muon</c>: Muon for the family's matrices and
    /// Adam for the rest.
    /// </summary>
    public string Name { get; init; } = OptimizerKinds.AdamW;

    /// <summary><c>32bit</c> or <c>8bit</c>: moments of embedding tables under <c>adamw8bit</c>.</summary>
    public string EmbedState { get; init; } = "32bit";
    public double Lr { get; init; } = 3e-4;

    /// <summary>Peak rates of the parameter groups; 0 = <see cref="Lr"/>.</summary>
    public double MatrixLr { get; init; }
    public double EmbedLr { get; init; }
    public double VectorLr { get; init; }

    /// <summary><c>cosine</c>, <c>constant</c>, <c>wsd</c> (constant, then linear to the floor) or <c>warmdown</c> (constant, then linear to 0).</summary>
    public string Schedule { get; init; } = "cosine";

    /// <summary>Steps of linear rise to the peak. A spec that leaves them out is read with at most a tenth of the run's.</summary>
    public int WarmupSteps { get; init; } = 100;

    /// <summary>Share of <see cref="Lr"/> at which cosine and wsd end.</summary>
    public double FinalLrFraction { get; init; } = 0.1;

    /// <summary>Share of the run over which wsd falls.</summary>
    public double DecayFraction { get; init; } = 0.2;

    /// <summary>Steps over which warmdown falls; 0 = 3,500, at most a quarter of the run.</summary>
    public int WarmdownSteps { get; init; }
    public double WeightDecay { get; init; } = 0.1;

    /// <summary><c>decoupled</c> (AdamW), or <c>coupled</c>: Adam with wd·W added to the clipped gradient.</summary>
    public string AdamDecay { get; init; } = "decoupled";
    public double Beta1 { get; init; } = 0.9;
    public double Beta2 { get; init; } = 0.95;
    public double Eps { get; init; } = 1e-8;

    /// <summary>Largest global gradient norm; 0 = no clipping.</summary>
    public double GradClip { get; init; } = 1.0;

    /// <summary>Momentum of Muon once its rise is over.</summary>
    public double MuonMomentum { get; init; } = 0.95;

    /// <summary>Momentum at step 0, from which it rises linearly; 0 = no rise.</summary>
    public double MuonMomentumStart { get; init; }
    public int MuonMomentumSteps { get; init; } = 1500;

    /// <summary>Newton–Schulz iterations per step.</summary>
    public int MuonIterations { get; init; } = 5;

    /// <summary>Decay of the weights' moving average, which is what is evaluated, sampled and exported; 0 = none.</summary>
    public double Ema { get; init; }

    /// <summary><c>constant</c>, or <c>warmup</c>: at most (1+t)/(10+t) after t steps, so that a short run's average is not its start.</summary>
    public string EmaSchedule { get; init; } = "constant";

    /// <summary>
    /// Evenly spaced snapshots of the decay phase, the last at the run's end, whose mean takes the place of the moving average (stochastic
    /// weight averaging, arXiv 1803.05407); 0 = none. The phase is warmdown's, or the last <see cref="DecayFraction"/> of the run.
    /// </summary>
    public int SwaSnapshots { get; init; }

    /// <summary>Whether the run keeps an average of its weights.</summary>
    [JsonIgnore]
    public bool Averages => Ema > 0 || SwaSnapshots > 0;

    /// <summary>
    /// Families with a quantiser train on quantised weights once the schedule, after its warm-up, is below this share of the
    /// peak; 0 = never.
    /// </summary>
    public double QatLrFraction { get; init; } = 0.15;
}

public sealed record EvalSpec
{
    public int EverySteps { get; init; } = 250;

    /// <summary>Validation rows per evaluation, at most.</summary>
    public int Rows { get; init; } = 64;
}

public sealed record SampleSpec
{
    /// <summary>0 = no samples.</summary>
    public int EverySteps { get; init; } = 500;
    public string Prompt { get; init; } = "The ";
    public int MaxTokens { get; init; } = 64;
    public double Temperature { get; init; } = 0.8;
    public int TopK { get; init; } = 50;
}

public sealed record CheckpointSpec
{
    public int EverySteps { get; init; } = 500;
    public int KeepLast { get; init; } = 3;
}

public sealed record PlacementSpec
{
    public RunPriority Priority { get; init; } = RunPriority.Normal;

    /// <summary><c>any</c>, <c>gpu</c>, <c>cpu</c>, or names of devices such as <c>studio/0</c>, comma separated.</summary>
    public string Devices { get; init; } = "any";

    /// <summary>Retries after the run's own errors; lost machines requeue without limit.</summary>
    public int MaxRestarts { get; init; } = 2;
    public IReadOnlyList<string> Tags { get; init; } = [];
}

public enum RunPriority
{
    Low = 0,
    Normal = 1,
    High = 2,
}
