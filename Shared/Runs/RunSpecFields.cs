using Hearth.Protocol;

namespace Hearth.Runs;

public enum FieldKind
{
    Text,
    Integer,
    Number,
    Choice,
    TextList,

    /// <summary>A <see cref="Runs.LengthCurriculum"/>, as text or as a list.</summary>
    Stages,
    Flag,
}

/// <summary>What one field of a run spec accepts. Drives validation, the form's help and the API's schema.</summary>
/// <param name="Path">Dotted path in the spec.</param>
/// <param name="Kind">Type of the JSON value.</param>
/// <param name="Help">One line for people.</param>
/// <param name="Min">Least number, inclusive.</param>
/// <param name="Max">Greatest number, inclusive; of a text its greatest length.</param>
/// <param name="Choices">Allowed words of a <see cref="FieldKind.Choice"/>, and both of a <see cref="FieldKind.Flag"/> as a form shows them.</param>
/// <param name="Required">True when there is no default.</param>
/// <param name="DefaultTenthOf">Path of a whole number, a tenth of which the default is at most; a value that is given is not bound by it.</param>
public sealed record FieldRule(
    string Path,
    FieldKind Kind,
    string Help,
    double Min = double.NegativeInfinity,
    double Max = double.PositiveInfinity,
    IReadOnlyList<string>? Choices = null,
    bool Required = false,
    string? DefaultTenthOf = null)
{
    /// <summary>Words in a list.</summary>
    public const int MostWords = 32;

    /// <summary>Characters of a word in a list.</summary>
    public const int LongestWord = 64;

    private const int LongestText = 200;

    /// <summary>Characters of a text.</summary>
    public int Longest => double.IsInfinity(Max) ? LongestText : (int)Max;

    /// <summary>The accepted values in words, as error messages print them.</summary>
    public string Allowed => Kind switch
    {
        FieldKind.Choice => string.Join(", ", Choices!),
        FieldKind.Integer or FieldKind.Number => double.IsInfinity(Max) ? $"at least {Words.Number(Min)}" : $"{Words.Number(Min)} to {Words.Number(Max)}",
        FieldKind.TextList => $"a list of at most {MostWords} words of 1 to {LongestWord} characters",
        FieldKind.Flag => "true, false",
        FieldKind.Stages => "lengths with the step that each but the last ends at, such as 512:1000, 1024:3000, 4096",
        _ => $"text of at most {Words.Number(Longest)} characters",
    };
}

/// <summary>The table of every field outside <c>model:</c>, whose overrides each family checks itself.</summary>
public static class RunSpecFields
{
    public static IReadOnlyList<FieldRule> All { get; } =
    [
        new("name", FieldKind.Text, "Letters, digits, dots and dashes. Shown everywhere.", Required: true),
        new("model.family", FieldKind.Text, "Model family.", Required: true),
        new("model.size", FieldKind.Text, "One of the family's sizes.", Required: true),
        new("task", FieldKind.Choice, "Pretrain learns from texts; sft learns the assistant's turns of conversations, from a checkpoint on.", Choices: RunTasks.All),
        new("start_from", FieldKind.Text, "A checkpoint whose weights and tokenizer the run begins with: r-12, or r-12@500 for that of a step.", Max: 4096),
        new("sft.template", FieldKind.Choice, "How conversations are written; auto is the one whose tokens the tokenizer has.", Choices: ChatTemplateNames.All),
        new("sft.category", FieldKind.Text, "VUAF's category of the conversations; empty is its first slot.", Max: 64),
        new("data.dataset", FieldKind.Text, "A dataset of the pool.", Max: 4096, Required: true),
        new("data.seq_len", FieldKind.Integer, "Tokens per row.", 8, 1 << 20),
        new("data.tokenizer", FieldKind.Choice, "Trained on the dataset to the model's vocabulary: bytes merged by frequency, SentencePiece with chat and category tokens, or longest byte pieces.", Choices: TokenizerKinds.All),
        new("data.doc_mask", FieldKind.Flag, "A token attends to its own document alone, where a row holds several. Qovaryx.", Choices: ["true", "false"]),
        new("data.validation_fraction", FieldKind.Number, "Share of documents held out.", 0.001, 0.5),
        new("train.steps", FieldKind.Integer, "Optimizer steps.", 1, 100_000_000),
        new("train.batch_tokens", FieldKind.Integer, "Tokens a step; stays the same on every card.", 8, 1L << 26),
        new("train.length_curriculum", FieldKind.Stages, "Rows that grow: 512:1000, 1024:3000, 4096 has rows of 512 tokens to step 1,000. The last length replaces seq_len."),
        new("train.micro_batch", FieldKind.Integer, "Rows at a time; 0 lets each card choose.", 0, 1 << 16),
        new("train.precision", FieldKind.Choice, "Of the matrix products; masters stay fp32.", Choices: ["fp32", "bf16", "fp64"]),
        new("train.master", FieldKind.Choice, "Copies that steps add to; none keeps large weights in bf16 alone and rounds at random, for adamw8bit in bf16.", Choices: ["fp32", "none"]),
        new("train.recompute", FieldKind.Choice, "Block runs each block again in the backward pass: far less memory, up to a third more work.", Choices: ["none", "block"]),
        new("train.exact", FieldKind.Flag, "The same run gives the same bits, on cards of one model; false may be faster, and the run is labelled not exact.", Choices: ["true", "false"]),
        new("train.seed", FieldKind.Integer, "Decides initial weights and data order.", 0, 9_007_199_254_740_991),
        new("optimizer.name", FieldKind.Choice, "Update rule; adamw8bit keeps large moments in one byte each.", Choices: OptimizerKinds.Names),
        new("optimizer.embed_state", FieldKind.Choice, "Moments of embedding tables under adamw8bit.", Choices: ["32bit", "8bit"]),
        new("optimizer.lr", FieldKind.Number, "Peak learning rate, after warm-up.", 1e-9, 10),
        new("optimizer.matrix_lr", FieldKind.Number, "Peak rate of matrices; 0 is lr.", 0, 10),
        new("optimizer.embed_lr", FieldKind.Number, "Peak rate of embeddings and heads; 0 is lr.", 0, 10),
        new("optimizer.vector_lr", FieldKind.Number, "Peak rate of norms, gains and biases; 0 is lr.", 0, 10),
        new("optimizer.schedule", FieldKind.Choice, "Course of the learning rate.", Choices: ["cosine", "constant", "wsd", "warmdown"]),
        new("optimizer.warmup_steps", FieldKind.Integer, "Steps of linear rise to the peak; left out, 100 or a tenth of the run, whichever is less.", 0, 10_000_000, DefaultTenthOf: "train.steps"),
        new("optimizer.final_lr_fraction", FieldKind.Number, "Share of the peak at the end of cosine and wsd.", 0, 1),
        new("optimizer.decay_fraction", FieldKind.Number, "Share of the run over which wsd falls and swa_snapshots are taken.", 0, 1),
        new("optimizer.warmdown_steps", FieldKind.Integer, "Steps over which warmdown falls; 0 is 3,500, at most a quarter of the run.", 0, 100_000_000),
        new("optimizer.weight_decay", FieldKind.Number, "Decay of what the family decays.", 0, 10),
        new("optimizer.adam_decay", FieldKind.Choice, "Decay apart from the gradient, or added to it.", Choices: ["decoupled", "coupled"]),
        new("optimizer.beta1", FieldKind.Number, "Decay of the first moment.", 0, 0.999999),
        new("optimizer.beta2", FieldKind.Number, "Decay of the second moment.", 0, 0.999999),
        new("optimizer.eps", FieldKind.Number, "Added to the root of the second moment.", 1e-20, 1),
        new("optimizer.grad_clip", FieldKind.Number, "Largest global gradient norm; 0 is off.", 0, 1e6),
        new("optimizer.muon_momentum", FieldKind.Number, "Muon's momentum.", 0, 0.9999),
        new("optimizer.muon_momentum_start", FieldKind.Number, "Muon's momentum at the first step; 0 is no rise.", 0, 0.9999),
        new("optimizer.muon_momentum_steps", FieldKind.Integer, "Steps over which Muon's momentum rises.", 1, 100_000_000),
        new("optimizer.muon_iterations", FieldKind.Integer, "Newton-Schulz iterations of Muon.", 1, 10),
        new("optimizer.ema", FieldKind.Number, "Decay of the weights' average, which is evaluated and exported; 0 is off.", 0, 0.999999),
        new("optimizer.ema_schedule", FieldKind.Choice, "Warmup averages less over the first steps.", Choices: ["constant", "warmup"]),
        new("optimizer.swa_snapshots", FieldKind.Integer, "Snapshots of the decay phase whose mean is evaluated and exported, in place of ema; 0 is off.", 0, 100_000),
        new("optimizer.qat_lr_fraction", FieldKind.Number, "Quantised training below this share of the peak, where the family has it; 0 is off.", 0, 1),
        new("eval.every_steps", FieldKind.Integer, "Steps between validations; 0 is off.", 0, 100_000_000),
        new("eval.rows", FieldKind.Integer, "Validation rows per evaluation.", 1, 1 << 20),
        new("sample.every_steps", FieldKind.Integer, "Steps between samples; 0 is off.", 0, 100_000_000),
        new("sample.prompt", FieldKind.Text, "Text that samples go on from.", Max: 1 << 16),
        new("sample.max_tokens", FieldKind.Integer, "Tokens per sample.", 1, 4096),
        new("sample.temperature", FieldKind.Number, "0 takes the likeliest token.", 0, 10),
        new("sample.top_k", FieldKind.Integer, "Keep the k likeliest tokens; 0 keeps all.", 0, 1 << 20),
        new("checkpoint.every_steps", FieldKind.Integer, "Steps between checkpoints; 0 writes the last one only.", 0, 100_000_000),
        new("checkpoint.keep_last", FieldKind.Integer, "Newest checkpoints kept.", 1, 1000),
        new("run.priority", FieldKind.Choice, "High goes before normal, normal before low.", Choices: ["low", "normal", "high"]),
        new("run.devices", FieldKind.Text, "any, gpu, cpu, or names such as studio/0.", Max: 2000),
        new("run.max_restarts", FieldKind.Integer, "Retries after the run's own errors.", 0, 100),
        new("run.tags", FieldKind.TextList, "Words to find the run by."),
    ];
}
