using Hearth.Hardware;
using Hearth.Kernels;
using Hearth.Models;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Contract;

/// <summary>Bytes that tensors hold at the peak of a micro-batch, by libtorch's own allocator, beside what the forecast says.</summary>
public sealed class MemoryContractTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public MemoryContractTests()
    {
        manual_seed(12);
        set_num_threads(1);
    }

    public void Dispose() => _scope.Dispose();

    /// <summary>Nano models have two or three blocks, so that one at work is much of the whole.</summary>
    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void Recomputing_blocks_lowers_the_peak(string family)
    {
        var model = FamilyContract.Of(family).Build(ScalarType.Float32);
        long kept = Peak(model, 16, 64, recompute: false), recomputed = Peak(model, 16, 64, recompute: true);

        Assert.InRange(recomputed, 1, (long)(0.85 * kept));
    }

    [Fact]
    public void With_recomputation_a_further_block_costs_what_crosses_to_it()
    {
        const int rows = 8, length = 64, dim = 64;
        LanguageModel Deep(int layers) => Small.Plan(new { n_layer = layers }).Build(float32, CPU, 3);
        long Each(bool recompute) => (Peak(Deep(10), rows, length, recompute) - Peak(Deep(6), rows, length, recompute)) / 4;
        long weights = (Small.Plan(new { n_layer = 10 }).Parameters - Small.Plan(new { n_layer = 6 }).Parameters) / 4 * sizeof(float);
        long state = rows * length * dim * sizeof(float);

        // Its gradients, and the state that goes in; the block itself keeps many times as much.
        Assert.InRange(Each(recompute: true) - weights, 0, 2 * state);
        Assert.InRange(Each(recompute: false) - weights, 10 * state, 100 * state);
    }

    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void The_forecast_is_not_under_the_peak_and_not_far_over_it(string family)
    {
        var model = FamilyContract.Of(family).Build(ScalarType.Float32);
        foreach (var (rows, length) in ((int, int)[])[(16, 64), (4, 256)])
        {
            foreach (string recompute in (string[])["none", "block"])
            {
                var forecast = MemoryForecast.Of(model.Plan, rows, length, "fp32", recompute: recompute, device: DeviceKind.Cpu);
                double measured = Peak(model, rows, length, recompute == "block");
                double share = (forecast.Gradients + forecast.Activations + forecast.Logits) / measured;

                Assert.True(share is >= 0.95 and <= 1.6, $"{rows} x {length}, {recompute}: the forecast is {share:0.00} of the peak");
            }
        }
    }

    // Over what the weights hold. A first pass fills the model's tables.
    private static long Peak(LanguageModel model, int rows, int length, bool recompute)
    {
        Train(model, 1, length, recompute);
        LiveTensors.Settled();
        long before = CountingAllocator.RestartPeak();
        Train(model, rows, length, recompute);
        return CountingAllocator.Peak - before;
    }

    private static void Train(LanguageModel model, int rows, int length, bool recompute)
    {
        using var scope = NewDisposeScope();
        var ids_BT = Small.Ids(rows, length, model.Plan.VocabSize);
        int[] labels = [.. ids_BT.HostArray<long>().Select(i => (int)i)];
        var tape = new BlockTape(recompute);
        tape.Backward(model.Loss(model.Prepare(new LossInput(ids_BT, ids_BT, model.Count(labels, length)) { Tape = tape }, new TrainingStep(3, 5, 100, 1, 0))).Total);
        foreach (var weight in model.Parameters)
        {
            weight.grad = null;
        }
    }
}
