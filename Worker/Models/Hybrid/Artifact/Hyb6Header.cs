using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Runs;

namespace Hearth.Models.Hybrid.Artifact;

/// <summary>
/// The JSON header: <c>{"format":1,"family":"hybrid","config":{…},"kappa":κ,"tensors":[…]}</c> with the config under its short
/// names. Everything in it follows from config and κ, so a reader compares instead of trusting.
/// </summary>
public static class Hyb6Header
{
    private const int Format = 1;

    // Short name in the file, name in a spec; in the file's order.
    private static readonly (string Short, string Field)[] Names =
    [
        ("vocab", "vocab_size"), ("d", "d_model"), ("layers", "n_layer"), ("heads", "n_head"), ("kv", "n_kv_head"), ("mlp_mult", "mlp_mult"),
        ("attn_layers", "attn_layers"), ("bigram_vocab", "bigram_vocab"), ("bigram_dim", "bigram_dim"), ("ve_dim", "ve_dim"), ("ve_layers", "ve_layers"),
        ("logit_softcap", "logit_softcap"), ("qk_gain_init", "qk_gain_init"), ("slope", "mlp_slope"), ("rope_base", "rope_theta"), ("eps", "norm_eps"),
        ("window", "window"), ("rope_dims", "rope_dims"), ("xsa_last_n", "xsa_last_n"), ("seq_len", "max_seq_len"), ("quant_min_elems", "quant_min_elems"),
    ];

    /// <summary>UTF-8, without spaces.</summary>
    public static byte[] Write(HybridPlan plan, double kappa, Hyb6Layout layout)
    {
        var config = new JsonObject();
        foreach (var (name, field) in Names)
        {
            config[name] = plan.Config[field]!.DeepClone();
        }

        var header = new JsonObject
        {
            ["format"] = Format,
            ["family"] = "hybrid",
            ["config"] = config,
            ["kappa"] = kappa,
            ["tensors"] = new JsonArray([.. layout.Entries.Select(Entry)]),
        };
        return JsonSerializer.SerializeToUtf8Bytes(header);
    }

    /// <summary>The model and κ of a header.</summary>
    /// <exception cref="ArtifactException">Names the field or tensor.</exception>
    public static (HybridPlan Plan, double Kappa, Hyb6Layout Layout) Read(ReadOnlyMemory<byte> json)
    {
        using var document = Parse(json);
        var root = document.RootElement;
        Require(root.ValueKind == JsonValueKind.Object, "header", root, "an object");
        var format = Get(root, "format");
        Require(format.ValueKind == JsonValueKind.Number && format.TryGetInt32(out int version) && version == Format, "format", format, $"{Format}");
        var family = Get(root, "family");
        Require(family.ValueKind == JsonValueKind.String && family.GetString() == "hybrid", "family", family, "hybrid");
        var kappa = Get(root, "kappa");
        Require(kappa.ValueKind == JsonValueKind.Number && kappa.GetDouble() is >= 1 and <= ArtifactEncoder.LargestKappa, "kappa", kappa, $"1 to {ArtifactEncoder.LargestKappa}");
        var plan = Plan(Get(root, "config"));
        var layout = Hyb6Layout.Of(plan);
        Compare(Get(root, "tensors"), layout);
        return (plan, kappa.GetDouble(), layout);
    }

    private static JsonNode Entry(Hyb6Entry entry)
    {
        var node = new JsonObject
        {
            ["name"] = entry.Name,
            ["shape"] = new JsonArray([.. entry.Shape.Select(s => (JsonNode)s)]),
            ["type"] = entry.IsInt6 ? "int6" : "fp16",
            ["offset"] = entry.Offset,
        };
        if (entry.ScaleOffset is { } scale)
        {
            node["scale_offset"] = scale;
        }

        return node;
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            return JsonDocument.Parse(json);
        }
        catch (JsonException e)
        {
            throw new ArtifactException($"The header is no JSON: {e.Message}");
        }
    }

    private static HybridPlan Plan(JsonElement config)
    {
        Require(config.ValueKind == JsonValueKind.Object, "config", config, "an object");
        var overrides = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var property in config.EnumerateObject())
        {
            string field = Names.FirstOrDefault(n => n.Short == property.Name).Field
                ?? throw new ArtifactException($"config.{property.Name} is unknown. Allowed: {string.Join(", ", Names.Select(n => n.Short))}.");
            overrides[field] = property.Value;
        }

        if (Names.FirstOrDefault(n => !overrides.ContainsKey(n.Field)).Short is { } missing)
        {
            throw new ArtifactException($"config.{missing} is missing.");
        }

        var errors = new List<FieldError>();
        return (HybridPlan)(new HybridFamily().Plan("16mb", overrides, errors)
            ?? throw new ArtifactException(string.Join(" ", errors.Select(e => e.Message))));
    }

    private static void Compare(JsonElement tensors, Hyb6Layout layout)
    {
        Require(tensors.ValueKind == JsonValueKind.Array, "tensors", tensors, "a list");
        Require(tensors.GetArrayLength() == layout.Entries.Count, "tensors", tensors, $"{layout.Entries.Count} tensors");
        foreach (var (found, entry) in tensors.EnumerateArray().Zip(layout.Entries))
        {
            var expected = JsonSerializer.SerializeToElement(Entry(entry));
            Require(found.ValueKind == JsonValueKind.Object, entry.Name, found, "an object");
            foreach (var field in expected.EnumerateObject())
            {
                var value = Get(found, field.Name, entry.Name);
                Require(JsonElement.DeepEquals(value, field.Value), $"{entry.Name}: {field.Name}", value, field.Value.GetRawText());
            }
        }
    }

    private static JsonElement Get(JsonElement parent, string name, string? tensor = null) =>
        parent.TryGetProperty(name, out var value) ? value : throw new ArtifactException($"{(tensor is null ? "" : tensor + ": ")}{name} is missing.");

    private static void Require(bool good, string field, JsonElement value, string allowed)
    {
        if (!good)
        {
            string shown = value.GetRawText() is { Length: > 60 } text ? text[..60] + "…" : value.GetRawText();
            throw new ArtifactException($"{field} is {shown}. Allowed: {allowed}.");
        }
    }
}
