using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Runs;

namespace Hearth.Models;

/// <summary>A model family as whoever submits or trains sees it: sizes, fields, and the way from both to a plan.</summary>
/// <param name="name">The word of specs.</param>
/// <param name="title">For people.</param>
/// <param name="summary">What is special about it, in a line.</param>
public abstract class Family(string name, string title, string summary)
{
    public string Name => name;

    public string Title => title;

    public string Summary => summary;

    /// <summary>Sizes, smallest first.</summary>
    public abstract IReadOnlyList<string> Sizes { get; }

    /// <summary>What may stand under <c>model:</c> beside family and size.</summary>
    public abstract IReadOnlyList<ModelField> Fields { get; }

    /// <summary>Other names of sizes, as published checkpoints have them.</summary>
    public virtual IReadOnlyDictionary<string, string> SizeAliases => ImmutableDictionary<string, string>.Empty;

    /// <summary>The run that the family's page recommends for a size: a whole spec but for its dataset, whose name is empty.</summary>
    public abstract RunSpec Recipe(string size);

    /// <summary>The plan of a size with overrides; null when <paramref name="errors"/> got any.</summary>
    public abstract ModelPlan? Plan(string size, IReadOnlyDictionary<string, JsonElement> overrides, IList<FieldError> errors);
}

/// <summary>
/// The one shape of a family. <typeparamref name="TConfig"/> is a record whose settable properties, each with a
/// <see cref="FieldAttribute"/>, are the fields; the family names its sizes, checks what fields do not allow together, and makes the plan.
/// </summary>
public abstract class Family<TConfig>(string name, string title, string summary) : Family(name, title, summary)
    where TConfig : class
{
    public sealed override IReadOnlyList<string> Sizes => [.. Presets.Keys];

    public sealed override IReadOnlyList<ModelField> Fields { get; } = FieldTable.Of(typeof(TConfig));

    /// <summary>The config of each size, smallest first.</summary>
    protected abstract OrderedDictionary<string, TConfig> Presets { get; }

    public sealed override ModelPlan? Plan(string size, IReadOnlyDictionary<string, JsonElement> overrides, IList<FieldError> errors)
    {
        int before = errors.Count;
        var config = FieldTable.Merge(Fields, Presets[size], overrides, errors);
        if (config is not null)
        {
            Check(config, errors);
        }

        if (config is null || errors.Count > before)
        {
            return null;
        }

        config = Complete(config);
        return Plan(config, new PlanHead(Name, size, $"{Title} {Shown(size)}", JsonSerializer.SerializeToNode(config, Json.Wire)!.AsObject()));
    }

    /// <summary>Adds an error for each pair of fields that do not go together; each for itself is within its range.</summary>
    protected abstract void Check(TConfig config, IList<FieldError> errors);

    /// <summary>A checked config with the fields filled in that follow from others where they are left out.</summary>
    protected virtual TConfig Complete(TConfig config) => config;

    /// <summary>The plan of a checked config.</summary>
    protected abstract ModelPlan Plan(TConfig config, PlanHead head);

    /// <summary>Adds an error unless the field <paramref name="small"/> divides the field <paramref name="large"/>.</summary>
    protected static void Divides((string Name, int Value) small, (string Name, int Value) large, IList<FieldError> errors)
    {
        if (large.Value % small.Value != 0)
        {
            Refuse(small.Name, $"{small.Value}", $"a divisor of {large.Value}", $"model.{small.Name} {small.Value} does not divide model.{large.Name} {large.Value}.", errors);
        }
    }

    /// <summary>Adds an error about a field of <c>model:</c>.</summary>
    protected static void Refuse(string field, string value, string allowed, string message, IList<FieldError> errors) =>
        errors.Add(new FieldError($"model.{field}", value, allowed, message));

    // "50m" and "1b" count parameters; "16mb" is a file's size.
    private static string Shown(string size) => size switch
    {
        [.. var bytes, 'm', 'b'] => $"{bytes} MB",
        [.., >= '0' and <= '9', 'm' or 'b'] => size.ToUpperInvariant(),
        _ => size,
    };
}

/// <summary>What a plan is called, and the config that it was made of.</summary>
/// <param name="Title">For people, for example <c>Qovaryx 50M</c>.</param>
/// <param name="Config">Every field of the config with its value, as a checkpoint stores it.</param>
public sealed record PlanHead(string Family, string Size, string Title, JsonObject Config);
