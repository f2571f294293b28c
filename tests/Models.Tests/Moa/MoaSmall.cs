using System.Text.Json;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Moa;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>MoA-Metric plans and models that its tests share.</summary>
internal static class MoaSmall
{
    internal static ModelPlan Plan(object? overrides = null, string size = "nano")
    {
        var errors = new List<Hearth.Runs.FieldError>();
        var plan = Families.Plan(Small.Model(overrides, size, "moa"), errors);
        return plan ?? throw new InvalidOperationException(string.Join(" ", errors.Select(e => e.Message)));
    }

    /// <summary>A model that is quick even in fp64: width 16, two blocks, 40 tokens; every weight drawn, so that no path is dead.</summary>
    internal static MoaModel Tiny(object? overrides = null, ScalarType dtype = ScalarType.Float64, ScalarType? compute = null)
    {
        var all = JsonSerializer.SerializeToElement(new
        {
            vocab_size = 40,
            dim = 16,
            attn_heads = 2,
            mqa_q_heads = 2,
            ffn_hidden = 24,
            mixer_hidden = 24,
            vproj_hidden = 8,
            router_hidden = 8,
            lr_rank = 4,
            r_basis = 3,
            max_position_embeddings = 64,
            ti_samples = 8,
            router_soft_steps = 0,
        }).EnumerateObject().ToDictionary(p => p.Name, p => p.Value);
        foreach (var (name, value) in Small.Model(overrides).Overrides)
        {
            all[name] = value;
        }

        var model = (MoaModel)Plan(all).Build(dtype, CPU, 1, compute);
        Stir(model, 0.2);
        return model;
    }

    /// <summary>Moves every weight by N(0, std) from its start.</summary>
    internal static void Stir(LanguageModel model, double std)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(11);
        foreach (var weight in model.Parameters)
        {
            weight.add_(empty(weight.shape).normal_(0, std).to(weight.dtype));
        }
    }

    internal static TrainingStep Step(long step = 0, long seed = 1234) => new(seed, step, 100, 1, 0);

    /// <summary>The loss of rows whose labels are their own ids, in training when a step is given.</summary>
    internal static LossResult Loss(LanguageModel model, Tensor ids_BT, TrainingStep? step)
    {
        var totals = model.Count([.. ids_BT.HostArray<long>().Select(l => (int)l)], (int)ids_BT.size(1));
        var input = new LossInput(ids_BT, ids_BT, totals);
        return model.Loss(step is null ? input : model.Prepare(input, step));
    }

    internal static void Set(LanguageModel model, string name, double value)
    {
        using var quiet = no_grad();
        model.Weight(name).fill_(value);
    }

    internal static Tensor Random(int seed, params long[] shape)
    {
        manual_seed(seed);
        return empty(shape, ScalarType.Float64).normal_();
    }

    /// <summary>The largest difference is at most so much.</summary>
    internal static void Near(Tensor a, Tensor b, double tolerance) => Assert.InRange(Small.Difference(a, b), 0, tolerance);
}
