using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T new rows, V vocabulary.
namespace Hearth.Models.Decoding;

/// <summary>Decoding of a model without drafts or exits: each step is a pass over the new rows.</summary>
/// <param name="model">Whose text it is.</param>
/// <param name="logits">[B,T,V] of ids [B,T] from a position on, behind the rows before it.</param>
internal sealed class CachedSession(LanguageModel model, Func<Tensor, long, Past, Tensor> logits) : IDecodeSession
{
    private readonly DecodeCache _past = new();
    private long _length;

    public Tensor Step(Tensor ids_BT)
    {
        model.Fits(_length + ids_BT.size(1));

        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var logits_BTV = logits(ids_BT, _length, _past);
        _length += ids_BT.size(1);
        return logits_BTV.MoveToOuterDisposeScope();
    }

    public void Dispose() => _past.Dispose();
}
