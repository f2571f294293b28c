using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Models.Blocks;
using Hearth.Runs;
using TorchSharp;

namespace Hearth.Models.Qovaryx;

/// <summary>Fields of a Qovaryx model under the names that specs and checkpoints use.</summary>
public sealed record QovaryxConfig
{
    public int VocabSize { get; init; } = 20242;
    public int DModel { get; init; } = 512;
    public int NLayer { get; init; } = 12;
    public int NHead { get; init; } = 8;
    public int NKvHead { get; init; } = 2;
    public int DFf { get; init; } = 1408;
    public string FfnKind { get; init; } = "swiglu";
    public bool TieEmbeddings { get; init; } = true;
    public int MtpK { get; init; } = 4;
    public string MtpKind { get; init; } = "res";
    public double MtpWeight { get; init; } = 0.3;
    public bool QkNorm { get; init; }
    public double RopeTheta { get; init; } = 10000;
    public double NormEps { get; init; } = 1e-6;
    public int MaxSeqLen { get; init; } = 4096;
}

/// <summary>Qovaryx: grouped-query decoder with SwiGLU and multi-token prediction (docs/families/qovaryx.md).</summary>
public sealed class QovaryxFamily : IFamily
{
    private static readonly Dictionary<string, QovaryxConfig> Presets = new(StringComparer.Ordinal)
    {
        ["nano"] = new() { VocabSize = 512, DModel = 64, NLayer = 2, NHead = 4, NKvHead = 1, DFf = 176, MaxSeqLen = 256 },
        ["50m"] = new(),
        ["350m"] = new() { DModel = 1024, NLayer = 24, NHead = 16, NKvHead = 4, DFf = 2816, TieEmbeddings = false, MtpKind = "block" },
        ["1b"] = new() { DModel = 2048, NLayer = 22, NHead = 16, NKvHead = 4, DFf = 5504 },
    };

    public string Name => "qovaryx";

    public string Title => "Qovaryx";

    public string Summary => "Predicts 4 tokens ahead";

    public IReadOnlyList<string> Sizes { get; } = [.. Presets.Keys];

    public IReadOnlyList<ModelField> Fields { get; } =
    [
        new("vocab_size", ModelFieldKind.Integer, "Tokens of the vocabulary.", 2, 1 << 20),
        new("d_model", ModelFieldKind.Integer, "Model width.", 2, 1 << 16),
        new("n_layer", ModelFieldKind.Integer, "Layers.", 1, 512),
        new("n_head", ModelFieldKind.Integer, "Query heads; divides d_model.", 1, 512),
        new("n_kv_head", ModelFieldKind.Integer, "Key and value heads; divides n_head.", 1, 512),
        new("d_ff", ModelFieldKind.Integer, "Width of the feed-forward network.", 1, 1 << 18),
        new("ffn_kind", ModelFieldKind.Choice, "Feed-forward network.", Choices: ["swiglu"]),
        new("tie_embeddings", ModelFieldKind.Flag, "One matrix for embedding and head."),
        new("mtp_k", ModelFieldKind.Integer, "Tokens predicted per position.", 1, 16),
        new("mtp_kind", ModelFieldKind.Choice, "What a further-token module is made of.", Choices: ["res", "block"]),
        new("mtp_weight", ModelFieldKind.Number, "Weight of the further tokens' loss.", 0, 10),
        new("qk_norm", ModelFieldKind.Flag, "Normalise queries and keys."),
        new("rope_theta", ModelFieldKind.Number, "Base of the rotary frequencies.", 1, 1e9),
        new("norm_eps", ModelFieldKind.Number, "Added to the mean square.", 1e-12, 1),
        new("max_seq_len", ModelFieldKind.Integer, "Longest row.", 8, 1 << 20),
    ];

    public IReadOnlyDictionary<string, string> CaseNames { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["vocab"] = "vocab_size",
        ["d"] = "d_model",
        ["layers"] = "n_layer",
        ["heads"] = "n_head",
        ["kv"] = "n_kv_head",
        ["ff"] = "d_ff",
        ["tie"] = "tie_embeddings",

        // Of the other feed-forward kinds, the decision head and the image encoder.
        ["rank"] = "",
        ["experts"] = "",
        ["top_k"] = "",
        ["act_quant"] = "",
        ["capacity_factor"] = "",
        ["lb_weight"] = "",
        ["router_z_weight"] = "",
        ["classes"] = "",
        ["decision_weight"] = "",
        ["calibration_loss_weight"] = "",
        ["chart_c1"] = "",
    };

    public ModelPlan? Plan(string size, IReadOnlyDictionary<string, JsonElement> overrides, IList<FieldError> errors)
    {
        int before = errors.Count;
        ModelField.Check(Fields, overrides, errors);
        if (errors.Count > before)
        {
            return null;
        }

        var json = JsonSerializer.SerializeToNode(Presets[size], Json.Wire)!.AsObject();
        foreach (var (name, value) in overrides)
        {
            json[name] = JsonNode.Parse(value.GetRawText());
        }

        var config = json.Deserialize<QovaryxConfig>(Json.Wire)!;
        Divides(config.NHead, config.DModel, "n_head", "d_model", errors);
        Divides(config.NKvHead, config.NHead, "n_kv_head", "n_head", errors);
        if (config.DModel / config.NHead % 2 != 0)
        {
            errors.Add(new FieldError("model.n_head", $"{config.NHead}", "an even head width", $"model.d_model {config.DModel} over model.n_head {config.NHead} is an odd head width; rotary positions need an even one."));
        }

        return errors.Count > before ? null : new QovaryxPlan(config)
        {
            Family = Name,
            Size = size,
            Title = $"{Title} {(size.EndsWith('m') || size.EndsWith('b') ? size.ToUpperInvariant() : size)}",
            Config = json,
        };
    }

    private static void Divides(int divisor, int whole, string small, string large, IList<FieldError> errors)
    {
        if (whole % divisor != 0)
        {
            errors.Add(new FieldError($"model.{small}", $"{divisor}", $"a divisor of {whole}", $"model.{small} {divisor} does not divide model.{large} {whole}."));
        }
    }
}

internal sealed class QovaryxPlan(QovaryxConfig config) : ModelPlan
{
    private readonly DecoderConfig _decoder = Expand(config);

    public override int VocabSize => config.VocabSize;

    public override int MaxSeqLen => config.MaxSeqLen;

    public override double LogitsPerToken => (double)config.MtpK * config.VocabSize;

    public override double MultiplyAdds(int seqLen) => _decoder.MultiplyAdds(seqLen);

    public override double ActivationsPerToken(int seqLen) => _decoder.Activations(seqLen);

    public override LanguageModel Build(torch.ScalarType dtype, torch.Device device, long seed, torch.ScalarType? compute = null) =>
        new Decoder(this, _decoder, dtype, device, seed, compute ?? dtype);

    protected override IEnumerable<TensorSpec> ListTensors() => 
        _decoder.Tensors().Select(t => t.Group == ParameterGroup.Embed ? t with { Decays = true } : t);

    private static DecoderConfig Expand(QovaryxConfig c)
    {
        double outScale = 1 / Math.Sqrt(2.0 * c.NLayer);
        var layer = new LayerConfig(
            c.DModel,
            c.NormEps,
            new GqaAttentionConfig(c.DModel, c.NHead, c.NKvHead, c.RopeTheta, c.QkNorm, c.NormEps, outScale),
            new SwiGluConfig(c.DModel, c.DFf, outScale));
        var mtp = new MtpConfig(c.MtpK, c.MtpWeight, c.NormEps, c.MtpKind == "block" ? layer : null);
        return new DecoderConfig(c.VocabSize, c.DModel, [.. Enumerable.Repeat(layer, c.NLayer)], c.TieEmbeddings, c.NormEps, mtp);
    }
}
