using System.Text.Json;
using Hearth.Models;
using Hearth.Models.Vuaf;
using Hearth.Runs;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>VUAF plans and models that its tests share.</summary>
internal static class VuafSmall
{
    internal static ModelPlan Plan(object? overrides = null, string size = "nano")
    {
        var errors = new List<FieldError>();
        return Families.Plan(Small.Model(overrides, size, "vuaf"), errors) ?? throw new InvalidOperationException(string.Join(" ", errors.Select(e => e.Message)));
    }

    /// <summary>A model that is quick even in fp64: width 16, four loops, 40 tokens, every weight moved, so that no path is dead.</summary>
    internal static VuafModel Tiny(object? overrides = null, ScalarType dtype = ScalarType.Float64, double stir = 0.1)
    {
        var all = JsonSerializer.SerializeToElement(new
        {
            vocab_size = 40,
            d_model = 16,
            loop_steps = 4,
            rwkv_head_dim = 8,
            rwkv_lowrank = 4,
            mamba_d_state = 4,
            mamba_d_head = 8,
            attn_head_dim = 8,
            ffn_hidden = 24,
            max_seq_len = 128,
        }).EnumerateObject().ToDictionary(p => p.Name, p => p.Value);
        foreach (var (name, value) in Small.Model(overrides).Overrides)
        {
            all[name] = value;
        }

        var model = (VuafModel)Plan(all).Build(dtype, CPU, 1);
        using var quiet = no_grad();
        manual_seed(5);
        foreach (var weight in model.parameters())
        {
            weight.add_(empty(weight.shape).normal_(0, stir).to(dtype));
        }

        return model;
    }

    /// <summary>The same weights in a model with other fields.</summary>
    internal static VuafModel Like(VuafModel model, object overrides)
    {
        var all = JsonSerializer.SerializeToElement(model.Plan.Config).EnumerateObject().ToDictionary(p => p.Name, p => p.Value);
        foreach (var (name, value) in Small.Model(overrides).Overrides)
        {
            all[name] = value;
        }

        var other = (VuafModel)Plan(all, model.Plan.Size).Build(model.Dtype, CPU, 1);
        using var quiet = no_grad();
        foreach (var (name, weight) in other.named_parameters())
        {
            weight.copy_(model.Weight(name));
        }

        return other;
    }
}
