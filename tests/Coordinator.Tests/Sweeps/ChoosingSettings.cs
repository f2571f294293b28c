using Hearth.Api;
using Hearth.Coordinator.Sweeps.Rules;
using Xunit;
using Xunit.Abstractions;

namespace Hearth.Tests.Sweeps;

/// <summary>Grid, chance and TPE on functions whose best is known.</summary>
public sealed class ChoosingSettings(ITestOutputHelper output)
{
    private const int Budget = 60;

    [Fact]
    public void Tpe_beats_chance_on_Branin() => Beats(Spaces.Plane, Spaces.Branin);

    [Fact]
    public void Tpe_beats_chance_where_fields_hang_on_others() => Beats(Spaces.Six, Spaces.Conditional);

    [Fact]
    public void Equal_seeds_draw_equal_settings_and_a_trial_needs_no_other()
    {
        var drawn = Enumerable.Range(0, 20).Select(n => Draws.Random(Spaces.Six, 7, n)).ToList();

        Assert.Equal(drawn[13], Draws.Random(Spaces.Six, 7, 13));
        Assert.Equal(20, drawn.Distinct().Count());
        Assert.NotEqual(drawn[13], Draws.Random(Spaces.Six, 8, 13));
    }

    [Fact]
    public void A_field_counts_only_while_its_condition_holds()
    {
        var settings = Enumerable.Range(0, 50).Select(n => Draws.Random(Spaces.Six, 1, n)).ToList();

        Assert.All(settings, s => Assert.NotEqual(s.Values[Place("optimizer.beta2")] is null, s.Values[Place("optimizer.muon_momentum")] is null));
        Assert.Contains(settings, s => s.Values[Place("optimizer.beta2")] is null);
        Assert.Contains(settings, s => s.Values[Place("optimizer.beta2")] is not null);
    }

    [Fact]
    public void Every_value_is_in_its_range_and_a_multiple_where_it_must_be()
    {
        foreach (var setting in Enumerable.Range(0, 500).Select(n => Draws.Random(Spaces.Six, 3, n)))
        {
            Assert.InRange(setting.Values[Place("optimizer.lr")]!.Value, 1e-5, 1e-1);
            double width = setting.Values[Place("model.width")]!.Value;
            Assert.InRange(width, 64, 512);
            Assert.Equal(0, width % 64);
        }
    }

    [Theory]
    [InlineData(DimensionKind.Integer, 1, 10, 1)]
    [InlineData(DimensionKind.Integer, 60, 520, 64)]
    [InlineData(DimensionKind.LogInteger, 1, 10, 1)]
    [InlineData(DimensionKind.LogInteger, 60, 5000, 64)]
    public void Every_multiple_of_a_range_can_be_drawn_and_has_its_place(DimensionKind kind, double min, double max, double multiple)
    {
        var dimension = new Dimension { Path = "model.width", Kind = kind, Min = min, Max = max, MultipleOf = multiple };
        var drawn = Enumerable.Range(0, 100_000).Select(i => dimension.At(i / 100_000.0)).Distinct().ToList();

        Assert.Equal(dimension.Count, drawn.Count);
        Assert.All(drawn, value => Assert.Equal(value, dimension.At(dimension.UnitOf(value))));
    }

    [Fact]
    public void A_grid_has_every_combination_and_none_twice_where_a_field_does_not_count()
    {
        var space = new SearchSpace(
        [
            new Dimension { Path = "optimizer.name", Kind = DimensionKind.Choice, Choices = [Spaces.Json("\"adamw\""), Spaces.Json("\"muon\"")] },
            new Dimension { Path = "optimizer.lr", Kind = DimensionKind.Log, Min = 1e-4, Max = 1e-2 },
            new Dimension { Path = "optimizer.muon_iterations", Kind = DimensionKind.Integer, Min = 4, Max = 6, When = [new Condition("optimizer.name", [Spaces.Json("\"muon\"")])] },
        ]);

        var grid = Draws.Grid(space, 3).ToList();

        Assert.Equal(3 + (3 * 3), grid.Distinct().Count());
        Assert.Equal(grid.Count, grid.Distinct().Count());
        Assert.Equal([1e-4, 1e-3, 1e-2], grid.Select(s => Math.Round(s.Values[0]!.Value, 10)).Distinct());
    }

    [Fact]
    public void A_setting_that_is_written_down_is_read_back()
    {
        foreach (var setting in Enumerable.Range(0, 20).Select(n => Draws.Random(Spaces.Six, 5, n)))
        {
            Assert.Equal(setting, Spaces.Six.Read(Spaces.Json(Spaces.Six.Write(setting).ToJsonString())));
        }
    }

    [Fact]
    public void A_trials_spec_is_the_base_with_its_values()
    {
        var setting = Spaces.Plane.Fill(d => d == 0 ? 2 : 3);

        string spec = Spaces.Plane.Apply(Spaces.Json("""{"name":"a","model":{"family":"f","x":1}}"""), setting).ToJsonString();

        Assert.Equal("""{"name":"a","model":{"family":"f","x":2,"y":3}}""", spec);
    }

    private static int Place(string path) => Spaces.Six.Dimensions.Index().First(d => d.Item.Path == path).Index;

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(Spaces.Seeds / 2);

    private void Beats(SearchSpace space, Func<Setting, double> function)
    {
        var chance = new List<double>();
        var learnt = new List<double>();
        for (long seed = 0; seed < Spaces.Seeds; seed++)
        {
            chance.Add(Enumerable.Range(0, Budget).Min(n => function(Draws.Random(space, seed, n))));
            var seen = new List<Observation>();
            for (int n = 0; n < Budget; n++)
            {
                var next = Tpe.Next(space, seen, seed, n);
                seen.Add(new Observation(next, function(next)));
            }

            learnt.Add(seen.Min(o => o.Score));
        }

        output.WriteLine($"median of the best of {Budget}: chance {Median(chance):G4}, TPE {Median(learnt):G4}; TPE better in {chance.Zip(learnt).Count(p => p.Second < p.First)} of {Spaces.Seeds}");
        Assert.True(Median(learnt) < Median(chance), $"TPE {Median(learnt)}, chance {Median(chance)}");
    }
}
