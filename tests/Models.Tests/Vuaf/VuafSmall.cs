using System.Text.Json;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Blocks;
using Hearth.Models.Vuaf;
using Hearth.Runs;
using Hearth.Tokenizers;
using static TorchSharp.torch;

namespace Hearth.Tests.Vuaf;

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
        foreach (var weight in model.Parameters)
        {
            weight.add_(empty(weight.shape).normal_(0, stir).to(dtype));
        }

        return model;
    }

    /// <summary>Halt logits spread around the threshold, so that every step is some token's exit.</summary>
    internal static VuafModel Deciding(double threshold = 0.5, object? overrides = null)
    {
        var model = Tiny(overrides);
        using var quiet = no_grad();
        model.Weight("halt_head.proj.weight").normal_(0, 0.6);
        model.Weight("halt_head.proj.bias").fill_(Math.Log(threshold / (1 - threshold)) - 0.8);
        return model;
    }

    /// <summary>A SentencePiece tokenizer with the family's core tokens and one category.</summary>
    internal static SentencePieceTokenizer Tokenizer(string text = "some text to learn from")
    {
        var trainer = new SentencePieceTrainer(new SpmTraining { Symbols = [.. SpecialTokens.Core.Skip(1), .. SpecialTokens.CategorySlots(["chat"])] });
        trainer.Add(text);
        return (SentencePieceTokenizer)trainer.Train(310);
    }

    /// <summary>Ids with one of them changed.</summary>
    internal static Tensor Changed(Tensor ids, int at)
    {
        long[] other = ids.HostArray<long>();
        other[at] = (other[at] + 1) % 40;
        return tensor(other, ids.shape);
    }

    /// <summary>Random weights under a block's names.</summary>
    internal static Dictionary<string, Tensor> Drawn(Action<Weights> declare)
    {
        manual_seed(9);
        return Weights.Noted(declare).ToDictionary(s => s.Name, s => empty([.. s.Shape], float64).normal_(0, 0.5), StringComparer.Ordinal);
    }

    /// <summary>What a block is given from position 0 on.</summary>
    internal static ForwardContext Context => new(0, float64, new RopeTables(float64, CPU));

    /// <summary>The same model with its weights rounded to single precision, as a published file holds them.</summary>
    internal static VuafModel Single(VuafModel model, ScalarType dtype = ScalarType.Float32)
    {
        var single = Like(model, new { }, ScalarType.Float32);
        return dtype == ScalarType.Float32 ? single : Like(single, new { }, dtype);
    }

    /// <summary>The same weights in a model with other fields.</summary>
    internal static VuafModel Like(VuafModel model, object overrides, ScalarType? dtype = null)
    {
        var all = JsonSerializer.SerializeToElement(model.Plan.Config).EnumerateObject().ToDictionary(p => p.Name, p => p.Value);
        foreach (var (name, value) in Small.Model(overrides).Overrides)
        {
            all[name] = value;
        }

        var other = (VuafModel)Plan(all, model.Plan.Size).Build(dtype ?? model.Dtype, CPU, 1);
        using var quiet = no_grad();
        foreach (var (name, weight) in other.NamedParameters)
        {
            weight.copy_(model.Weight(name));
        }

        return other;
    }

    /// <summary>
    /// How far two orders of the same operations may drift apart in this model: what its logits move when the last bit of every embedding does, times the
    /// roundings of a token's way through it. The looped stack multiplies a last bit by some thousands, so no fixed bound holds on every processor.
    /// </summary>
    internal static double Rounding(VuafModel model, Tensor ids_BT)
    {
        const double lastBit = 2.3e-16, roundings = 1_000;
        var table = model.Weight("embed.weight");
        using var kept = table.detach().clone();
        var before = model.Steps(ids_BT, 4)[3].Logits_BTV;
        var signs = (arange(table.numel()).remainder(2) * 2 - 1).view(table.shape).to(table.dtype);
        table.copy_(kept + (kept * signs * lastBit));
        double moved = Small.Difference(before, model.Steps(ids_BT, 4)[3].Logits_BTV);
        table.copy_(kept);
        return Math.Max(1e-12, moved * roundings);
    }
}
