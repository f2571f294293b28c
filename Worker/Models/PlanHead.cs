using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Runs;

namespace Hearth.Models;

/// <summary>What a plan is called, and the config that it was made of.</summary>
/// <param name="Title">For people, for example <c>Qovaryx 50M</c>.</param>
/// <param name="Config">Every field of the config with its value, as a checkpoint stores it.</param>
public sealed record PlanHead(string Family, string Size, string Title, JsonObject Config)
{
    /// <summary>A size's config with overrides in it, checked, and its head; null when <paramref name="errors"/> got any.</summary>
    public static (TConfig Config, PlanHead Head)? Of<TConfig>(
        IFamily family, string size, TConfig preset, IReadOnlyDictionary<string, JsonElement> overrides, IList<FieldError> errors, Action<TConfig, IList<FieldError>> check)
    {
        int before = errors.Count;
        if (ModelField.Merge(family.Fields, preset, overrides, errors) is not { } json)
        {
            return null;
        }

        var config = json.Deserialize<TConfig>(Json.Wire)!;
        check(config, errors);
        return errors.Count > before ? null : (config, new PlanHead(family.Name, size, $"{family.Title} {Shown(size)}", json));
    }

    // "50m" and "1b" count parameters; "16mb" is a file's size.
    private static string Shown(string size) => size switch
    {
        [.. var bytes, 'm', 'b'] => $"{bytes} MB",
        [.., >= '0' and <= '9', 'm' or 'b'] => size.ToUpperInvariant(),
        _ => size,
    };
}
