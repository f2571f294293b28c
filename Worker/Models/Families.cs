using Hearth.Runs;

namespace Hearth.Models;

/// <summary>Every family, one line each.</summary>
public static class Families
{
    public static IReadOnlyList<Family> All { get; } =
    [
        new Qovaryx.QovaryxFamily(),
        new Moa.MoaFamily(),
        new Positronic.PositronicFamily(),
        new Hybrid.HybridFamily(),
        new Vuaf.VuafFamily(),
    ];

    public static Family? Find(string name) => All.FirstOrDefault(f => f.Name == name);

    /// <summary>The plan of a spec's model; null when <paramref name="errors"/> got any.</summary>
    public static ModelPlan? Plan(ModelSpec model, IList<FieldError> errors)
    {
        string known = string.Join(", ", All.Select(f => f.Name));
        if (Find(model.Family) is not { } family)
        {
            errors.Add(new FieldError("model.family", model.Family, known, $"No family is called {model.Family}. Allowed: {known}."));
            return null;
        }

        string size = family.SizeAliases.GetValueOrDefault(model.Size, model.Size);
        if (!family.Sizes.Contains(size))
        {
            string sizes = string.Join(", ", family.Sizes);
            errors.Add(new FieldError("model.size", model.Size, sizes, $"{family.Title} has no size {model.Size}. Allowed: {sizes}."));
            return null;
        }

        return family.Plan(size, model.Overrides, errors);
    }
}
