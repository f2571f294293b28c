using Hearth.Kernels;
using Hearth.Models.Positronic;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Positronic;

/// <summary>The kernel that runs its steps twice against the plain loop that remembers them.</summary>
public sealed class EulerKernelTests : IDisposable
{
    private static readonly string[] Weights = ["K", "alpha", "center_phase", "center_omega", "center_gain"];
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Both_forms_give_the_same_phases_controllers_and_gradients(bool controlled, bool driven)
    {
        var naive = Run(controlled, driven, naive: true);
        var kernel = Run(controlled, driven, naive: false);

        Assert.Equal(naive.Keys.Order(), kernel.Keys.Order());
        Assert.Equal(1 + 2 + 5 + (driven ? 1 : 0) + (controlled ? 5 : 0), naive.Count);
        foreach (var (name, value) in naive)
        {
            Assert.True(value.Any(v => v != 0), $"{name} is all zero");
            Assert.All(value.Zip(kernel[name]), pair => Nano.Near(pair.First, pair.Second, 1e-12));
        }
    }

    // Two layers after one another, as the controllers go through a model.
    private static Dictionary<string, double[]> Run(bool controlled, bool driven, bool naive)
    {
        var model = Nano.Open();
        model.ClearGradients();
        var (block, rings) = (Block(model), new RingLayout([2, 4, 8], ScalarType.Float64, CPU));
        manual_seed(8);
        var (theta, omega) = (Leaf(), Leaf());
        var drive = driven ? Leaf() : null;
        var trace = controlled ? new RingControllers(3, Hearth.Models.Weights.Of(model.Weight, "controller")).Begin() : null;
        var result = theta;
        for (int layer = 0; layer < 2; layer++)
        {
            result = naive ? block.NaiveIntegrate(result, omega.tanh(), drive, trace, rings) : block.Integrate(result, omega.tanh(), drive, trace, rings);
        }

        (result * empty(result.shape, float64).normal_()).sum().backward();
        var found = new Dictionary<string, double[]>(StringComparer.Ordinal)
        {
            ["phases"] = result.HostArray<double>(),
            ["theta"] = theta.grad!.HostArray<double>(),
            ["omega"] = omega.grad!.HostArray<double>(),
        };
        foreach (string name in Weights)
        {
            found[name] = model.Weight($"layers.0.osc.{name}").grad!.HostArray<double>();
        }

        if (drive is not null)
        {
            found["drive"] = drive.grad!.HostArray<double>();
        }

        if (trace is not null)
        {
            (found["last"], found["fast"]) = (trace.Last!.HostArray<double>(), trace.Fast!.HostArray<double>());
            for (int r = 0; r < 3; r++)
            {
                found[$"decode {r}"] = model.Weight($"controller.{r}.decode").grad!.HostArray<double>();
            }
        }

        return found;
    }

    private static QuazimotoBlock Block(PositronicModel model) => new(
        new PositronicConfig { DModel = 64, Rings = [2, 4, 8], UseRings = false, UseRingSpecialists = false },
        Hearth.Models.Weights.Of(model.Weight, "layers.0"));

    private static Tensor Leaf() => empty([2, 5, 14], float64).normal_().requires_grad_();
}
