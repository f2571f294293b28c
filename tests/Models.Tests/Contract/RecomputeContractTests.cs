using Hearth.Kernels;
using Hearth.Models;
using Hearth.Runs;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Contract;

/// <summary>Running every block again in the backward pass changes what is kept and nothing else.</summary>
public sealed class RecomputeContractTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public RecomputeContractTests()
    {
        manual_seed(12);
        set_num_threads(1);
    }

    public void Dispose() => _scope.Dispose();

    /// <summary>Gradients of one micro-batch from none: each weight's parts are then added in the same order.</summary>
    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void Recomputing_blocks_changes_no_bit_of_loss_and_gradients(string family) =>
        SameBits(FamilyContract.Of(family).Awake(ScalarType.Float32));

    /// <summary>What blocks hand on beside their state, draw at random, or compute by other operators.</summary>
    [Theory]
    [InlineData("qovaryx", "ffn_kind", "routed_lowrank_swiglu")]
    [InlineData("qovaryx", "ffn_kind", "ternary_swiglu")]
    [InlineData("qovaryx", "mtp_kind", "block")]
    [InlineData("moa", "attn_dropout", 0.2)]
    [InlineData("moa", "proj_dropout", 0.2)]
    [InlineData("moa", "router_balance", 0.1)]
    [InlineData("positronic", "osc_steps", 1)]
    [InlineData("positronic", "use_ring_controllers", false)]
    [InlineData("positronic", "use_moe", false)]
    public void Recomputing_blocks_with_any_trait_changes_no_bit(string family, string field, object value) =>
        SameBits(FamilyContract.Awake(Families.Plan(Small.Model(new Dictionary<string, object> { [field] = value }, "nano", family), new List<FieldError>())!.Build(float32, CPU, 3)));

    [Fact]
    public void Recomputing_quantised_blocks_changes_no_bit() => SameBits(FamilyContract.Of("hybrid").Awake(ScalarType.Float32), quantize: true);

    private static void SameBits(LanguageModel model, bool quantize = false)
    {
        var ids_BT = Small.Ids(3, 24, model.Plan.VocabSize);
        var (plain, kept) = Train(model, ids_BT, [3], recompute: false, quantize);
        var (again, recomputed) = Train(model, ids_BT, [3], recompute: true, quantize);

        Assert.Equal(plain, again);
        Assert.Equal(kept.Keys, recomputed.Keys);
        foreach (string name in kept.Keys)
        {
            Assert.True(kept[name].SequenceEqual(recomputed[name]), name);
        }
    }

    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void Recomputing_blocks_of_several_micro_batches_gives_the_batchs_gradients(string family)
    {
        var contract = FamilyContract.Of(family);
        var model = contract.Awake(ScalarType.Float64);
        var (plain, kept) = Train(model, contract.Ids(5, 24), [2, 2, 1], recompute: false);
        var (again, recomputed) = Train(model, contract.Ids(5, 24), [2, 2, 1], recompute: true);

        Assert.Equal(plain, again);
        Assert.Equal(kept.Keys, recomputed.Keys);
        foreach (string name in kept.Keys)
        {
            double worst = kept[name].Zip(recomputed[name], (a, b) => Math.Abs(a - b)).DefaultIfEmpty(0).Max();
            Assert.True(worst <= 1e-12, $"{name}: {worst}");
        }
    }

    // Losses by term and micro-batch, and the gradient of every parameter that got one.
    private static (double[] Losses, Dictionary<string, double[]> Gradients) Train(LanguageModel model, Tensor ids_BT, int[] micro, bool recompute, bool quantize = false)
    {
        manual_seed(5);
        int[] labels = [.. ids_BT.HostArray<long>().Select(i => (int)i)];
        var totals = model.Count(labels, (int)ids_BT.size(1)) with { MicroBatches = micro.Length };
        var losses = new List<double>();
        long first = 0;
        foreach (int rows in micro)
        {
            using var scope = NewDisposeScope();
            var tape = new BlockTape(recompute);
            var rows_BT = ids_BT.narrow(0, first, rows);
            var step = new TrainingStep(3, 700, 1000, 1, first) { Quantize = quantize };
            var loss = model.Loss(model.Prepare(new LossInput(rows_BT, rows_BT, totals) { Tape = tape }, step));
            losses.AddRange([loss.Total.Number(), .. loss.Terms.Select(t => t.Sum.Number())]);
            tape.Backward(loss.Total);
            first += rows;
        }

        var gradients = new Dictionary<string, double[]>(StringComparer.Ordinal);
        foreach (var (name, weight) in model.NamedParameters)
        {
            if (weight.grad is { } gradient)
            {
                gradients.Add(name, gradient.HostArray<double>());
            }

            weight.grad = null;
        }

        return ([.. losses], gradients);
    }
}
