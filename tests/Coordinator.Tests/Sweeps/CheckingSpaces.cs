using Hearth.Api;
using Hearth.Coordinator.Sweeps.Rules;
using Xunit;

namespace Hearth.Tests.Sweeps;

/// <summary>A space that says nothing, or contradicts itself, gets its sentence.</summary>
public sealed class CheckingSpaces
{
    private static readonly SweepField Rate = new() { Field = "optimizer.lr", Kind = DimensionKind.Log, Min = 1e-4, Max = 1e-2 };
    private static readonly SweepField Name = new() { Field = "optimizer.name", Values = [Spaces.Json("\"adamw\""), Spaces.Json("\"muon\"")] };

    public static TheoryData<SweepField[], string> Wrong { get; } = new()
    {
        { [], "space is empty. Allowed: 1 to 32 fields that trials differ in, such as {field: optimizer.lr, kind: log, min: 0.0001, max: 0.01}." },
        { [Rate with { When = [On("optimizer.lr")] }], "optimizer.lr hangs on itself. Allowed: another field of the space." },
        { [Rate with { When = [On("optimizer.schedule")] }, Name], "space[0].when[0].field is optimizer.schedule. Allowed: optimizer.name." },
        { [Rate with { When = [new SweepCondition("optimizer.name", [Spaces.Json("\"sgd\"")])] }, Name], "space[0].when[0].values is sgd. Allowed: adamw, muon." },
        { [Name with { When = [new("task", [Spaces.Json("\"pretrain\"")])] }, new() { Field = "task", Values = [Spaces.Json("\"pretrain\"")], When = [On("optimizer.name")] }], "optimizer.name, task hang on each other in a circle. Allowed: conditions that end at a field without one." },
        { [Rate with { Min = 0 }], "space[0].min is 0. Allowed: a number above 0, since its logarithm is what is spread." },
        { [Rate with { Min = 1 }], "space[0].min is 1. Allowed: at most max, 0.01." },
        { [Rate with { Max = null }], "space[0].max is missing. Allowed: a number above 0, since its logarithm is what is spread." },
        { [Rate with { Max = double.NaN }], "space[0].max is NaN. Allowed: a number above 0, since its logarithm is what is spread." },
        { [Rate, Rate], "space[1].field is optimizer.lr. Allowed: each field once." },
        { [Rate with { Field = "optimizer.lrr" }], "space[0].field is optimizer.lrr. Allowed: a field of the run spec; nearest: optimizer.lr." },
        { [Rate with { Field = "train.steps" }], "space[0].field is train.steps. Allowed: a field that is not the sweep's own: it names the runs and decides how far each trains." },
        { [new() { Field = "model.width", Min = 65, Max = 127, MultipleOf = 64 }], "space[0].multiple_of is 64. Allowed: a number of which there is a multiple from 65 to 127." },
        { [Rate with { MultipleOf = 2 }], "space[0].multiple_of is 2. Allowed: nothing, but for kind integer or log_integer." },
        { [Name with { Values = [] }], "space[0].values is empty. Allowed: 1 to 64 values." },
        { [Name with { Values = [Spaces.Json("1"), Spaces.Json("1.0")] }], "space[0].values is 1.0. Allowed: each value once." },
        { [Name with { Min = 1 }], "space[0] is optimizer.name with values and a range. Allowed: values, or min and max." },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void It_is_refused_with_a_sentence(SweepField[] fields, string sentence)
    {
        var (space, errors) = SpaceChecks.Read(fields);

        Assert.Null(space);
        Assert.Equal(sentence, Assert.Single(errors).Message);
    }

    [Fact]
    public void The_kind_of_a_field_follows_from_the_run_spec()
    {
        var (space, _) = SpaceChecks.Read([new() { Field = "optimizer.warmup_steps", Min = 0, Max = 10 }, new() { Field = "optimizer.ema", Min = 0, Max = 0.9 }, Name, new() { Field = "model.width", Min = 64, Max = 128, MultipleOf = 64 }]);

        Assert.Equal([("model.width", DimensionKind.Integer), ("optimizer.ema", DimensionKind.Number), ("optimizer.name", DimensionKind.Choice), ("optimizer.warmup_steps", DimensionKind.Integer)], space!.Dimensions.Select(d => (d.Path, d.Kind)));
    }

    [Fact]
    public void A_field_comes_behind_the_one_that_it_hangs_on()
    {
        var (space, _) = SpaceChecks.Read([Rate with { Field = "data.seq_len", Min = 8, Max = 64, When = [On("optimizer.name")] }, Name]);

        Assert.Equal(["optimizer.name", "data.seq_len"], space!.Dimensions.Select(d => d.Path));
    }

    private static SweepCondition On(string field) => new(field, [Spaces.Json("\"muon\"")]);
}
