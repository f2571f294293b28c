using System.Collections.Immutable;
using System.Text.Json;
using Hearth.Models;
using static TorchSharp.torch;

namespace Hearth.Training.Parity;

/// <summary>
/// How the parity cases of a family are read: what they call its fields, and what they hold beside losses, gradients and optimizer
/// steps. The cases speak the words of the implementations that wrote them; the families know none of these.
/// </summary>
internal abstract class FamilyCases
{
    private static readonly IReadOnlyDictionary<string, FamilyCases> All = new Dictionary<string, FamilyCases>(StringComparer.Ordinal)
    {
        ["qovaryx"] = new QovaryxCases(),
        ["moa"] = new MoaCases(),
        ["positronic"] = new PositronicCases(),
        ["hybrid"] = new HybridCases(),
        ["vuaf"] = new VuafCases(),
    };

    /// <summary>Short field names of cases and the family's names for them; an empty name is a field that nothing selectable reads.</summary>
    public abstract IReadOnlyDictionary<string, string> Names { get; }

    /// <summary>Short words that cases have in lists, and the words of the family's fields.</summary>
    public virtual IReadOnlyDictionary<string, string> WordsInLists => ImmutableDictionary<string, string>.Empty;

    /// <summary>Fields that a case leaves out and that have another value there than in a run.</summary>
    public virtual IReadOnlyDictionary<string, JsonElement> Defaults => ImmutableDictionary<string, JsonElement>.Empty;

    /// <summary>Changes of a case's config under which it holds more results, by the name in front of them: <c>expect.NAME.logits</c>.</summary>
    public virtual IReadOnlyDictionary<string, JsonElement> Variants => ImmutableDictionary<string, JsonElement>.Empty;

    /// <exception cref="BadInputException">Nobody says how to read cases of the family.</exception>
    public static FamilyCases Of(string family) =>
        All.GetValueOrDefault(family) ?? throw new BadInputException($"family is {family}. Allowed: {string.Join(", ", All.Keys)}, which have parity cases.");

    /// <summary><see cref="LossInput.Extras"/> that a case holds.</summary>
    public virtual IReadOnlyDictionary<string, Tensor> Extras(CaseInputs inputs) => ImmutableDictionary<string, Tensor>.Empty;

    /// <summary>What a case's inputs give beyond losses, gradients and optimizer steps, under the case's names. Called without a gradient.</summary>
    public abstract IEnumerable<CaseResult> Results(LanguageModel model, CaseInputs inputs);

    protected static IReadOnlyDictionary<string, JsonElement> Values(params (string Field, object Value)[] fields) =>
        fields.ToDictionary(f => f.Field, f => JsonSerializer.SerializeToElement(f.Value), StringComparer.Ordinal);
}
