using Hearth.Api;
using Hearth.Coordinator.Sweeps.Rules;
using Xunit;

namespace Hearth.Tests.Sweeps;

/// <summary>Importance of fields on functions whose parts are known.</summary>
public sealed class TellingWhatMatters
{
    [Fact]
    public void Fields_come_in_the_order_of_what_they_do_and_one_that_does_nothing_is_about_0()
    {
        var space = new SearchSpace([Spaces.Number("a.much", 0, 1), Spaces.Number("b.some", 0, 1), Spaces.Number("c.little", 0, 1), Spaces.Number("d.nothing", 0, 1)]);

        for (long seed = 0; seed < 5; seed++)
        {
            var found = FieldImportance.Of(space, Trials(space, 80, seed, v => (8 * v[0]) + (4 * v[1]) + (2 * v[2])), false, seed);

            Assert.Equal(["a.much", "b.some", "c.little", "d.nothing"], found.Fields.Select(f => f.Path));
            Assert.InRange(found.Fields[3].Weight, 0, 0.03);
            Assert.InRange(found.Explained, 0.6, 1);
        }
    }

    [Fact]
    public void Results_that_hang_on_nothing_give_no_field_weight_and_explain_nothing()
    {
        var space = new SearchSpace([Spaces.Number("a.x", 0, 1), Spaces.Number("b.y", 0, 1)]);
        var chance = new SplitMix64(5);
        var trials = Trials(space, 100, 3, _ => 0).Select(t => (t.Setting, chance.NextUniform())).ToList();

        var found = FieldImportance.Of(space, trials, false, 1);

        Assert.InRange(found.Explained, -1, 0.1);
        Assert.All(found.Fields, f => Assert.InRange(f.Weight, 0, 0.1));
    }

    [Fact]
    public void A_choice_that_has_fields_of_its_own_keeps_its_weight_and_theirs_is_what_their_values_do()
    {
        var space = new SearchSpace(
        [
            new Dimension { Path = "optimizer.name", Kind = DimensionKind.Choice, Choices = [Spaces.Json("\"adamw\""), Spaces.Json("\"muon\"")] },
            Spaces.Number("optimizer.beta2", 0, 1) with { When = [new Condition("optimizer.name", [Spaces.Json("\"adamw\"")])] },
            Spaces.Number("optimizer.muon_momentum", 0, 1) with { When = [new Condition("optimizer.name", [Spaces.Json("\"muon\"")])] },
        ]);
        int Place(string path) => space.Dimensions.Index().First(d => d.Item.Path == path).Index;
        int name = Place("optimizer.name"), momentum = Place("optimizer.muon_momentum");
        var trials = Enumerable.Range(0, 80).Select(n => Draws.Random(space, 9, n)).Select(s => (s, (3 * s.Values[name]!.Value) + (s.Values[momentum] ?? 0))).ToList();

        var found = FieldImportance.Of(space, trials, false, 2);

        Assert.Equal(["optimizer.name", "optimizer.muon_momentum", "optimizer.beta2"], found.Fields.Select(f => f.Path));
        Assert.InRange(found.Fields[2].Weight, 0, 0.03);
        Assert.Equal(80, found.Fields[1].Trials + found.Fields[2].Trials);
    }

    [Fact]
    public void Equal_trials_and_seeds_give_equal_weights_and_a_trial_that_diverged_counts_as_the_last_alone()
    {
        var space = new SearchSpace([Spaces.Number("a.x", 0, 1), Spaces.Number("b.y", 0, 1)]);
        var trials = Trials(space, 30, 4, v => v[0]);
        int worst = trials.Index().MaxBy(t => t.Item.Value).Index;
        IReadOnlyList<(Setting, double)> With(double value) => [.. trials.Index().Select(t => (t.Item.Setting, t.Index == worst ? value : t.Item.Value))];

        var found = FieldImportance.Of(space, With(1e30), false, 7);

        Assert.Equal(found.Fields, FieldImportance.Of(space, With(double.NaN), false, 7).Fields);
        Assert.Equal(found.Fields, FieldImportance.Of(space, trials, false, 7).Fields);
        Assert.Equal([0, 2.5, 1, 2.5], FieldImportance.Ranks([1, 7, 3, 7]));
    }

    [Fact]
    public void Results_that_are_all_equal_give_every_field_0()
    {
        var space = new SearchSpace([Spaces.Number("a.x", 0, 1), Spaces.Number("b.y", 0, 1)]);

        var found = FieldImportance.Of(space, Trials(space, 12, 1, _ => 2.5), true, 1);

        Assert.Equal((0, 0d), (found.Explained, found.Fields.Sum(f => f.Weight)));
    }

    private static IReadOnlyList<(Setting Setting, double Value)> Trials(SearchSpace space, int count, long seed, Func<double[], double> value) =>
        [.. Enumerable.Range(0, count).Select(n => Draws.Random(space, seed, n)).Select(s => (s, value([.. s.Values.Select(v => v!.Value)])))];
}
