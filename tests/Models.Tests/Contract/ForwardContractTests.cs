using Hearth.Kernels;
using Hearth.Models;
using Hearth.Training.Optim;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Contract;

/// <summary>Every family as a function: causal, cached as uncached, one row as many, with the gradient of its loss, and able to learn.</summary>
public sealed class ForwardContractTests : IDisposable
{
    private const int Length = 40;
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public ForwardContractTests()
    {
        manual_seed(12);
        set_num_threads(1);
    }

    public void Dispose() => _scope.Dispose();

    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void A_token_changes_no_logit_before_it(string family)
    {
        var contract = FamilyContract.Of(family);
        var model = contract.Awake(ScalarType.Float64);
        using var quiet = no_grad();
        var ids = contract.Ids(1, Length);
        var before = model.Logits(ids);
        foreach (int at in (int[])[1, 9, 17, Length - 1])
        {
            long[] other = ids.HostArray<long>();
            other[at] = (other[at] + 1) % model.Plan.VocabSize;
            var after = model.Logits(tensor(other, 1, Length));

            Assert.InRange(Small.Difference(before.narrow(1, 0, at), after.narrow(1, 0, at)), 0, contract.Causality);
            Assert.NotEqual(0.0, Small.Difference(before.select(1, at), after.select(1, at)));
        }
    }

    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void Cached_decoding_in_any_split_equals_the_full_forward(string family)
    {
        var contract = FamilyContract.Of(family);
        var model = contract.Awake(ScalarType.Float64);
        using var quiet = no_grad();
        var ids = contract.Ids(2, Length);
        var full = model.Logits(ids);
        int[][] splits = [[Length], [.. Enumerable.Repeat(1, Length)], [7, 1, 1, 13, 2, 16], [1, 30, 1, 8]];
        foreach (int[] split in splits)
        {
            using var session = model.StartDecode();
            var parts = new List<Tensor>();
            int at = 0;
            foreach (int rows in split)
            {
                parts.Add(session.Step(ids.narrow(1, at, rows)));
                at += rows;
            }

            Assert.InRange(Small.Difference(full, cat(parts, 1)), 0, contract.Decoding);
        }
    }

    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void What_a_plan_says_of_decoding_is_what_the_model_offers(string family)
    {
        var model = FamilyContract.Of(family).Build(ScalarType.Float32);
        using var session = model.StartDecode();

        var told = model.Plan.Decoding;

        Assert.Equal(((session as ISpeculativeSession)?.MaxDrafts ?? 0, model is IRingMemory, model is IEarlyExit), (told.Drafts, told.Memory, told.Loops > 1));
    }

    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void A_row_alone_is_the_row_in_a_batch(string family)
    {
        var contract = FamilyContract.Of(family);
        var model = contract.Awake(ScalarType.Float64);
        using var quiet = no_grad();
        var ids = contract.Ids(3, Length);
        var all = model.Logits(ids);

        for (int row = 0; row < 3; row++)
        {
            Assert.InRange(Small.Difference(all.narrow(0, row, 1), model.Logits(ids.narrow(0, row, 1))), 0, contract.Decoding);
        }
    }

    /// <summary>Along a random direction of each tensor in turn.</summary>
    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void The_last_token_may_have_a_target_without_a_token_after_it(string family)
    {
        var contract = FamilyContract.Of(family);
        var model = contract.Awake(ScalarType.Float64);
        var longer = contract.Ids(2, 12);
        int[] labels = [.. longer.HostArray<long>().Select(i => (int)i)];
        var totals = model.Count(labels, 12);
        using var quiet = no_grad();

        // Terms of next tokens; others are means over the rows that the model ran over.
        double Ce(Tensor ids) => model.Loss(new LossInput(ids, longer, totals)).Terms[0].Sum.Number();

        Assert.InRange(Math.Abs(Ce(longer) - Ce(longer.narrow(1, 0, 11))), 0, 1e-8);
    }

    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void Gradients_are_finite_and_equal_central_differences(string family)
    {
        var contract = FamilyContract.Of(family);
        double step = contract.DifferenceStep;
        var model = contract.Awake(ScalarType.Float64);
        var ids = contract.Ids(2, 14);
        FamilyContract.Loss(model, ids, out _).Total.backward();
        foreach (var (name, weight) in model.NamedParameters)
        {
            using var scope = NewDisposeScope();
            using var quiet = no_grad();
            var gradient = weight.grad ?? zeros(weight.shape, weight.dtype);
            Assert.True(gradient.isfinite().all().item<bool>(), name);
            if (!contract.Differentiable)
            {
                continue;
            }

            var direction = empty(weight.shape, weight.dtype).normal_();
            direction = direction / direction.pow(2).sum().sqrt();
            double expected = (gradient * direction).sum().Number();
            weight.add_(direction, step);
            double above = FamilyContract.Loss(model, ids, out _).Total.Number();
            weight.add_(direction, -2 * step);
            double below = FamilyContract.Loss(model, ids, out _).Total.Number();
            weight.add_(direction, step);
            double quotient = (above - below) / (2 * step);

            Assert.True(Math.Abs(quotient - expected) <= 1e-6 * (1 + Math.Abs(expected)), $"{name}: gradient {expected}, difference quotient {quotient}");
        }
    }

    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void Four_rows_are_learnt_by_heart_in_500_steps(string family)
    {
        var contract = FamilyContract.Of(family);
        var model = contract.Build(ScalarType.Float32);
        using var optimizer = Optimizer.Create(model, contract.Recipe);
        var ids = contract.Ids(4, 64);
        double loss = double.PositiveInfinity;
        int step = 0;
        for (; step < 500 && loss >= 0.1; step++)
        {
            using var scope = NewDisposeScope();
            optimizer.ClearGradients();
            var result = FamilyContract.Loss(model, ids, out var totals);
            result.Total.backward();
            Assert.True(double.IsFinite(optimizer.ClipGradNorm(contract.Recipe.GradClip)));
            optimizer.Step(Schedules.Factor(contract.Recipe, step, 500));
            loss = result.Terms[0].Sum.Number() / Math.Max(1, totals.Counts[0]);
        }

        Assert.True(loss < 0.1, $"{loss} after {step} steps");
    }
}
