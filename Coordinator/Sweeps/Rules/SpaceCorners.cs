namespace Hearth.Coordinator.Sweeps.Rules;

/// <summary>Settings that say whether a space is fit to be run: for each field both ends of its range, or each of its values, in a setting in which it counts.</summary>
public static class SpaceCorners
{
    public static IEnumerable<Setting> Of(SearchSpace space)
    {
        var made = space.Dimensions.Index()
            .SelectMany(d => Ends(d.Item).Select(value => With(space, d.Index, value)))
            .Append(space.Fill(d => space.Dimensions[d].At(1)));
        return made.Distinct();
    }

    private static IEnumerable<double> Ends(Dimension dimension) =>
        dimension.IsChoice ? Enumerable.Range(0, dimension.Choices.Count).Select(i => (double)i) : new[] { dimension.At(0), dimension.At(1) }.Distinct();

    // The value in its place, and the fields that it hangs on at values under which it counts; the others at their first.
    private static Setting With(SearchSpace space, int dimension, double value)
    {
        var wanted = new Dictionary<string, double>(StringComparer.Ordinal) { [space.Dimensions[dimension].Path] = value };
        for (int d = dimension; d >= 0; d--)
        {
            if (wanted.ContainsKey(space.Dimensions[d].Path))
            {
                foreach (var condition in space.Dimensions[d].When)
                {
                    var parent = space.Dimensions.First(p => p.Path == condition.Path);
                    wanted.TryAdd(condition.Path, SearchSpace.IndexOf(parent, condition.Values[0]));
                }
            }
        }

        return space.Fill(d => wanted.TryGetValue(space.Dimensions[d].Path, out double own) ? own : space.Dimensions[d].At(0));
    }
}
