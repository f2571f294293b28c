using Hearth.Kernels;
using static TorchSharp.torch;

// B batch, T time, D model width, E width of all key/value heads.
namespace Hearth.Models.Hybrid;

/// <summary>
/// The first rows of the residual stream: token plus hashed token pair, normed, then smeared with the row before by a gate
/// per channel; and the value embedding beside them.
/// </summary>
internal sealed class HybridEmbedding(HybridConfig config, Weights w)
{
    private readonly Tensor _tokens_VD = w.Table("tok_emb", config.VocabSize, config.DModel, Init.Normal(0.005));
    private readonly Tensor _pairs = w.Table("bigram.embed", config.BigramVocab, config.BigramDim, Init.Zeros);
    private readonly Tensor _pairsProj = w.Matrix("bigram.proj", config.DModel, config.BigramDim, Init.Orthogonal(1 / Math.Sqrt(2.0 * config.NLayer)));
    private readonly Tensor _pairsScale_1 = w.Decayed("bigram.scale", Init.Constant(0.05), 1);
    private readonly Tensor _gate_D = w.Decayed("smear.gate", Init.Constant(0), config.DModel);
    private readonly Tensor _values = w.Table("ve.embed", config.VocabSize, config.VeDim, Init.Normal(0.02));
    private readonly Tensor _valuesProj = w.Matrix("ve.proj", config.KvDim, config.VeDim, Init.Orthogonal());

    /// <summary>The table of tokens, which is the head too.</summary>
    internal Tensor Head_VD => _tokens_VD;

    /// <summary>The stream's first rows [B,T,D].</summary>
    internal Tensor Forward(Tensor ids_BT, HybridContext context)
    {
        var rows_BT = BigramHash.Rows(ids_BT, context.Past.Before(this, "ids", ids_BT, 1), config.BigramVocab);
        var pairs_BTD = context.Linear(Operators.Embedding(rows_BT, _pairs), _pairsProj);
        var x_BTD = Operators.Embedding(ids_BT, _tokens_VD) + (pairs_BTD * _pairsScale_1);
        x_BTD = Functions.RmsNorm(x_BTD, config.NormEps);
        var before_BTD = context.Past.Shift(this, x_BTD);
        return x_BTD + ((before_BTD - x_BTD) * _gate_D.sigmoid());
    }

    /// <summary>The value embedding [B,T,E].</summary>
    internal Tensor Values(Tensor ids_BT, HybridContext context) => context.Linear(Operators.Embedding(ids_BT, _values), _valuesProj);
}
