using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Blocks;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Qovaryx;

/// <summary>The gradient of the whole loss against central differences, for the kinds and heads that the size nano leaves out.</summary>
public sealed class GradientTests : IDisposable
{
    private const double Step = 1e-5;
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public GradientTests() => manual_seed(8);

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData("lowrank_swiglu", "res")]
    [InlineData("routed_lowrank_swiglu", "block")]
    [InlineData("swiglu", "block")]
    public void Gradients_of_every_tensor_equal_central_differences_with_images_and_decisions(string ffn, string mtp)
    {
        var model = Small.Tiny(new
        {
            ffn_kind = ffn,
            ffn_rank = 6,
            ffn_top_k = 2,
            mtp_kind = mtp,
            decision_head_enabled = true,
            calibration_loss_weight = 0.2,
            chart_patch_encoder_enabled = true,
        });
        var ids = Small.Ids(2, 10, 40);
        var extras = new Dictionary<string, Tensor>
        {
            ["image"] = empty([2, 3, 16, 32], ScalarType.Float64).uniform_(0, 1),
            ["has_image"] = tensor(new[] { 0L, 1 }),
            ["lengths"] = tensor(new[] { 10L, 7 }),
            ["decision_label"] = tensor(new[] { 3L, 0 }),
        };
        Tensor Loss() => Total(model, ids, extras);
        Loss().backward();
        foreach (var (name, weight) in model.NamedParameters)
        {
            using var scope = NewDisposeScope();
            using var quiet = no_grad();
            var direction = empty(weight.shape, weight.dtype).normal_();
            direction = direction / direction.pow(2).sum().sqrt();
            double expected = (weight.grad! * direction).sum().Number();
            weight.add_(direction, Step);
            double above = Loss().Number();
            weight.add_(direction, -2 * Step);
            double below = Loss().Number();
            weight.add_(direction, Step);
            double quotient = (above - below) / (2 * Step);

            Assert.True(Math.Abs(quotient - expected) <= 1e-6 * (1 + Math.Abs(expected)), $"{name}: gradient {expected}, difference quotient {quotient}");
        }
    }

    private static Tensor Total(Decoder model, Tensor ids, Dictionary<string, Tensor> extras)
    {
        long[] labels = ids.HostArray<long>();
        Array.Fill(labels, -100, 17, 3);
        var totals = model.Count(Array.ConvertAll(labels, l => (int)l), 10);
        return model.Loss(model.Prepare(new LossInput(ids, tensor(labels, 2, 10), totals) { Extras = extras }, new TrainingStep(1, 0, 10, 1, 0))).Total;
    }
}
