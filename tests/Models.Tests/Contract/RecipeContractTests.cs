using System.Text.Json;
using Hearth.Models;
using Xunit;

namespace Hearth.Tests.Contract;

/// <summary>Every family's recipe of every size is a run that only lacks its dataset.</summary>
public sealed class RecipeContractTests
{
    public static TheoryData<string, string> Sizes()
    {
        var data = new TheoryData<string, string>();
        foreach (var (family, size) in Families.All.SelectMany(f => f.Sizes.Select(s => (f.Name, s))))
        {
            data.Add(family, size);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void A_recipe_lacks_nothing_but_its_dataset(string family, string size)
    {
        var recipe = Families.Find(family)!.Recipe(size);

        var bare = RunChecks.Validate(JsonSerializer.SerializeToElement(recipe, Json.Wire));
        var named = RunChecks.Validate(JsonSerializer.SerializeToElement(recipe with { Data = recipe.Data with { Dataset = "docs" } }, Json.Wire));

        Assert.Equal(["data.dataset"], bare.Errors.Select(e => e.Field));
        Assert.Empty(named.Errors);
        Assert.Equal((family, size), (named.Spec!.Model.Family, named.Spec.Model.Size));
    }

    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void Nano_is_validated_sampled_and_kept_while_it_trains(string family)
    {
        var recipe = Families.Find(family)!.Recipe("nano");

        Assert.InRange(recipe.Eval.EverySteps, 1, recipe.Train.Steps / 2);
        Assert.InRange(recipe.Sample.EverySteps, 1, recipe.Train.Steps / 2);
        Assert.InRange(recipe.Checkpoint.EverySteps, 1, recipe.Train.Steps / 2);
    }

    [Fact]
    public void Vuafs_halting_is_kept_from_collapsing() =>
        Assert.All(Families.Find("vuaf")!.Sizes, size => Assert.Equal(0.05, Families.Find("vuaf")!.Recipe(size).Model.Overrides["entropy_reg_coef"].GetDouble()));
}
