using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Runs;
using Hearth.Kernels;
using static TorchSharp.torch;

namespace Hearth.Models.Vuaf;

/// <summary>
/// A VUAF checkpoint as it is published: <c>model.safetensors</c>, <c>config.json</c> under the runtime's field names,
/// <c>metadata.json</c>, and the tokenizer's files beside them.
/// </summary>
public static class VuafFolder
{
    public const string WeightsName = "model.safetensors", ConfigName = "config.json", MetadataName = "metadata.json";

    /// <summary>The tokenizer's files, which are passed through.</summary>
    public static readonly IReadOnlyList<string> TokenizerNames = ["spm.model", "spm.vocab", "categories.json", "tokenizer.json"];

    private const int FormatVersion = 1;
    private const string TokenizerHash = "tokenizer_sha256";

    /// <summary>The fields of config.json that are fields of ours, in the runtime's order.</summary>
    private static readonly string[] Shared =
    [
        "vocab_size", "d_model", "n_layers", "loop_steps", "token_mix_pattern", "channel_mix_pattern", "rwkv_head_dim", "rwkv_lowrank",
        "mamba_d_state", "mamba_d_head", "mamba_expand", "mamba_chunk_size", "attn_head_dim", "attn_rope_base", "ffn_hidden",
        "moe_n_experts", "moe_top_k", "moe_lb_loss_coef", "halt_init_bias", "entropy_reg_coef", "max_seq_len",
    ];

    /// <summary>
    /// The model that config.json describes. What it leaves out has the runtime's default, and a file without <c>rwkv_norm</c> the
    /// runtime's norm over the sequence.
    /// </summary>
    /// <exception cref="InvalidDataException">A field is unknown or has no such value here; says which.</exception>
    public static ModelPlan Plan(string folder)
    {
        var config = ReadConfig(folder);
        var overrides = new Dictionary<string, JsonElement>(StringComparer.Ordinal) { ["rwkv_norm"] = JsonSerializer.SerializeToElement("sequence") };
        foreach (var (name, value) in config)
        {
            if (name == "rwkv_norm" || Shared.Contains(name))
            {
                overrides[name] = value;
            }
        }

        var family = new VuafFamily();
        string size = config.TryGetValue("name", out var given) ? family.SizeAliases.GetValueOrDefault(given.ToString(), "femto") : "femto";
        var errors = new List<FieldError>();
        var plan = family.Plan(size, overrides, errors)
            ?? throw new InvalidDataException($"{ConfigName}: {string.Join(" ", errors.Select(e => e.Message))}");
        CheckFixed(config, ((VuafPlan)plan).Fields);
        return plan;
    }

    /// <summary>The hash of the tokenizer that a checkpoint is tied to; null when config.json has none.</summary>
    public static string? TokenizerSha256(string folder) =>
        ReadConfig(folder).TryGetValue(TokenizerHash, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>Writes weights (fp32), config.json and metadata.json.</summary>
    /// <param name="model">A model of any size.</param>
    /// <param name="folder">Made if it is not there.</param>
    /// <param name="tokenizerSha256">Ties the checkpoint to its tokenizer; null = not stated.</param>
    public static void Save(VuafModel model, string folder, string? tokenizerSha256 = null)
    {
        Directory.CreateDirectory(folder);
        using var scope = NewDisposeScope();
        using (var stream = File.Create(Path.Combine(folder, WeightsName)))
        {
            SafetensorsWriter.Write(stream, [.. model.NamedParameters.Select(p => (p.Name, p.Value.detach().cpu().to(float32).contiguous()))], SafetensorsWriter.PyTorch);
        }

        string name = NameOf(model.Plan.Size);
        File.WriteAllBytes(Path.Combine(folder, ConfigName), JsonSerializer.SerializeToUtf8Bytes(Config(model.Plan, name, tokenizerSha256), Json.Pretty));
        var metadata = new JsonObject
        {
            ["format_version"] = FormatVersion,
            ["model_name"] = name,
            ["n_parameters"] = model.Plan.Parameters,
            ["vocab_size"] = model.Plan.VocabSize,
            ["loop_steps"] = model.LoopSteps,
        };
        File.WriteAllBytes(Path.Combine(folder, MetadataName), JsonSerializer.SerializeToUtf8Bytes(metadata, Json.Pretty));
    }

    private static string NameOf(string size) => $"VUAF-1-{char.ToUpperInvariant(size[0])}{size[1..]}";

    private static JsonObject Config(ModelPlan plan, string name, string? tokenizerSha256)
    {
        var fields = ((VuafPlan)plan).Fields;
        var json = new JsonObject { ["name"] = name };
        foreach (string field in Shared)
        {
            json[field] = plan.Config[field]!.DeepClone();
        }

        foreach (var (field, value) in Fixed(fields))
        {
            json[field] = value.DeepClone();
        }

        // The runtime rejects a field that it does not know, which is right: it cannot compute this model.
        if (!fields.SequenceNorm)
        {
            json["rwkv_norm"] = fields.RwkvNorm;
        }

        if (tokenizerSha256 is not null)
        {
            json[TokenizerHash] = tokenizerSha256;
        }

        return json;
    }

    // Fields of the runtime that follow from others or have one value here.
    private static IEnumerable<(string Name, JsonNode Value)> Fixed(VuafConfig c) =>
    [
        ("rwkv_n_heads", c.DModel / c.RwkvHeadDim),
        ("attn_n_heads", c.DModel / c.AttnHeadDim),
        ("tie_embeddings", true),
        ("mamba_mode", "parallel"),
        ("dropout", 0.0),
    ];

    private static void CheckFixed(Dictionary<string, JsonElement> config, VuafConfig fields)
    {
        foreach (var (name, value) in Fixed(fields))
        {
            if (config.TryGetValue(name, out var given) && !JsonNode.DeepEquals(Number(given), Number(JsonSerializer.SerializeToElement(value))))
            {
                throw new InvalidDataException($"{ConfigName}: {name} is {given.GetRawText()}. Allowed: {value.ToJsonString()}.");
            }
        }

        string[] known = ["name", "rwkv_norm", TokenizerHash, .. Shared, .. Fixed(fields).Select(f => f.Name)];
        if (config.Keys.FirstOrDefault(key => !known.Contains(key)) is { } unknown)
        {
            throw new InvalidDataException($"{ConfigName}: no field is called {unknown}. Nearest: {Words.Nearest(unknown, known)}.");
        }
    }

    // 0 and 0.0 are one number.
    private static JsonNode? Number(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number ? JsonValue.Create(value.GetDouble()) : JsonNode.Parse(value.GetRawText());

    private static Dictionary<string, JsonElement> ReadConfig(string folder)
    {
        string path = Path.Combine(folder, ConfigName);
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(File.ReadAllBytes(path))
                ?? throw new InvalidDataException($"{ConfigName} is null. Allowed: an object.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path} is no JSON object: {e.Message}");
        }
    }
}
