using Hearth.Kernels;
using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, D model width, V vocabulary, K hash tables; stores [L,B,R,E,S] by layer, row, ring, specialist and width.
namespace Hearth.Models.Positronic;

/// <summary>The model that a <see cref="PositronicConfig"/> describes.</summary>
public sealed partial class PositronicModel : LanguageModel
{
    private readonly PositronicConfig _config;
    private readonly ScalarType _compute;
    private readonly ScalarType _wide;
    private readonly RopeTables _rope;
    private readonly RingLayout _rings;
    private readonly PositronicBlock[] _layers;
    private readonly RingControllers? _controllers;
    private readonly Reasoner? _reasoner;
    private readonly SharedMoe? _moe;
    private readonly Tensor[] _mtp;
    private readonly StatePredictor? _jepa;
    private readonly EngramCodes? _codes;
    private readonly Tensor? _seeds_VN;
    private readonly Tensor _embedding_VD;
    private readonly Tensor _scale;
    private readonly Tensor _finalNorm_D;

    internal PositronicModel(ModelPlan plan, PositronicConfig config, ScalarType dtype, Device device, long? seed, ScalarType compute)
        : base(plan, dtype, device, seed, compute)
    {
        _config = config;
        _compute = compute;
        _wide = dtype == float64 ? float64 : float32;
        _rope = new RopeTables(dtype, device);
        _rings = new RingLayout(config.Rings, _wide, device);
        var parts = new PositronicParts(config, Declared);
        (_embedding_VD, _scale, _finalNorm_D, _layers) = (parts.Embedding_VD, parts.Scale, parts.FinalNorm_D, parts.Layers);
        _controllers = config.UseRingControllers ? parts.Controllers : null;
        _reasoner = config.UseHrm ? parts.Reasoner : null;
        _moe = config.UseMoe ? parts.Moe : null;
        _mtp = config.UseMtp ? parts.Mtp : [];
        _jepa = config.UseJepa ? parts.Jepa : null;
        _codes = config.UseRings ? new EngramCodes(config.VocabSize, config.EngramOrders, config.EngramHeads, config.EngramTable) : null;
        _seeds_VN = config.UseFractalPhaseSeed ? FractalTable.Make(config.VocabSize, config.Oscillators, _wide, device) : null;
        Terms = [.. ListTerms(config)];
    }

    /// <summary>Logits of one text that begins with empty memories and leaves none behind.</summary>
    public override Tensor Logits(Tensor ids_BT) => Head(Trunk(ids_BT, NewPass(ids_BT, 0, null, EmptyMemories(ids_BT.size(0)), writing: true)).Hidden_BTD);

    /// <summary>Logits of every head for further tokens, [heads,B,T,V]: head k, counted from 1, at row t predicts token t+1+k.</summary>
    public Tensor MtpLogits(Tensor ids_BT)
    {
        var (hidden_BTD, _) = Trunk(ids_BT, NewPass(ids_BT, 0, null, EmptyMemories(ids_BT.size(0)), writing: true));
        return stack([.. Enumerable.Range(1, _mtp.Length).Select(k => Head(Further(hidden_BTD, k)))]);
    }

    public override IDecodeSession StartDecode() => new PositronicSession(this, _config);

    /// <summary>Normed states of the trunk [B,T,D], and the experts' choices where there are experts.</summary>
    /// <remarks>With a tape the pass's memories stay as they were.</remarks>
    internal (Tensor Hidden_BTD, Routing? Routing) Trunk(Tensor ids_BT, Pass pass, BlockTape? tape = null)
    {
        var x_BTD = Operators.Embedding(ids_BT, _embedding_VD);
        for (int l = 0; l < _layers.Length; l++)
        {
            x_BTD = tape is null ? _layers[l].Forward(x_BTD, pass, l) : Apart(l, x_BTD, pass, tape);
        }

        if (_reasoner is not null)
        {
            x_BTD = (tape ?? BlockTape.Off).Run(x_BTD, x => _reasoner.Forward(x, _compute));
        }

        Routing? routing = null;
        if (_moe is not null)
        {
            Tensor[] all = (tape ?? BlockTape.Off).Run((Tensor[])[x_BTD], inputs =>
            {
                var (y_BTD, chosen) = _moe.Forward(inputs[0], _compute);
                return [y_BTD, chosen.Probabilities_NE, chosen.Experts_NK, chosen.Gates_NK];
            });
            (x_BTD, routing) = (all[0], new Routing(all[1], all[2], all[3]));
        }

        return ((tape ?? BlockTape.Off).Run(x_BTD, x => Functions.RmsNorm(x, _finalNorm_D, _config.NormEps)), routing);
    }

    /// <summary>A pass over <paramref name="ids_BT"/> that starts at <paramref name="offset"/>.</summary>
    /// <param name="ids_BT">New tokens.</param>
    /// <param name="offset">Tokens before them.</param>
    /// <param name="before_BP">The last of those, as many as hashes reach back; null where there are none.</param>
    /// <param name="memories">Per layer; replaced by those after the pass.</param>
    /// <param name="writing">Whether specialists write.</param>
    /// <param name="rows_BTK">Rows of the engrams' tables where they are known; null = hashed here.</param>
    internal Pass NewPass(Tensor ids_BT, long offset, Tensor? before_BP, RingMemory[] memories, bool writing, Tensor? rows_BTK = null) => new(offset, _compute, _rope)
    {
        Wide = _wide,
        Rings = _rings,
        Seeds_BTN = _seeds_VN is null ? null : Operators.Embedding(ids_BT, _seeds_VN),
        EngramRows_BTK = _codes is null ? null : rows_BTK ?? EngramRows(ids_BT, before_BP),
        Controllers = _controllers?.Begin(),
        Memories = memories,
        Writing = writing,
        Written = new MemoryRows?[_layers.Length],
    };

    internal RingMemory[] EmptyMemories(long batch) => _config.UseRingSpecialists
        ? [.. _layers.Select(_ => RingMemory.Empty(batch, _config, _wide, Device))]
        : [];

    /// <summary>logit_scale · h Eᵀ.</summary>
    internal Tensor Head(Tensor hidden_BTD) => Functions.Linear(hidden_BTD * _scale, _embedding_VD, _compute);

    /// <summary>What head <paramref name="k"/> = 1.. for further tokens reads: h + P_k h.</summary>
    internal Tensor Further(Tensor hidden_BTD, int k) => hidden_BTD + Functions.Linear(hidden_BTD, _mtp[k - 1], _compute);

    // Layers hand each other the state, the controllers' trace and the decoder that all of them read.
    private Tensor Apart(int layer, Tensor x_BTD, Pass pass, BlockTape tape)
    {
        var trace = pass.Controllers;
        Tensor[] all = tape.Run(trace is null ? [x_BTD] : [x_BTD, trace.Decode_ROI, .. trace.State], inputs =>
        {
            var own = trace is null ? null : new RingControllers.Trace(inputs[1]) { State = inputs[2..] };
            return [_layers[layer].Forward(inputs[0], pass.Apart(own), layer), .. own?.State ?? []];
        });
        trace?.GoOn(all[1..]);
        return all[0];
    }

    private Tensor EngramRows(Tensor ids_BT, Tensor? before_BP)
    {
        var all = before_BP is null ? ids_BT : cat([before_BP, ids_BT], 1);
        long batch = all.size(0), length = all.size(1);
        int time = (int)ids_BT.size(1), width = time * _codes!.Tables;
        long[] ids = all.HostArray<long>(), rows = new long[batch * width];
        for (int b = 0; b < batch; b++)
        {
            _codes.Rows_TK(ids.AsSpan((int)(b * length), (int)length), time, rows.AsSpan(b * width, width));
        }

        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] += i % _codes.Tables * _codes.Rows;
        }

        return tensor(rows, batch, time, _codes.Tables).to(Device);
    }
}

/// <summary>One layer: x ← x + attention(norm₁ x), x ← x + mixer(norm₂ x).</summary>
internal sealed class PositronicBlock(PositronicConfig config, Weights w)
{
    private readonly Tensor _norm1_D = w.Norm("norm1", config.DModel);
    private readonly LatentAttention _attention = new(config, w.Under("attn"));
    private readonly Tensor _norm2_D = w.Norm("norm2", config.DModel);
    private readonly QuazimotoBlock _mixer = new(config, w);

    internal Tensor Forward(Tensor x_BTD, Pass pass, int layer)
    {
        x_BTD = x_BTD + _attention.Forward(Functions.RmsNorm(x_BTD, _norm1_D, config.NormEps), pass);
        return x_BTD + _mixer.Forward(Functions.RmsNorm(x_BTD, _norm2_D, config.NormEps), pass, layer);
    }
}
