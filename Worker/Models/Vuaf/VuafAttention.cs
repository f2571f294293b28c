using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, W rows that are read, S keys, D model width, H heads, N head width.
namespace Hearth.Models.Vuaf;

/// <summary>The stack's one attention layer: causal, rotary positions on the whole head, queries, keys and values of one matrix.</summary>
internal sealed record VuafAttentionConfig(int Dim, int HeadDim, double RopeBase) : VuafMixerConfig
{
    public int Heads => Dim / HeadDim;

    public override double MultiplyAdds(int seqLen) => (4.0 * Dim * Dim) + ((double)Dim * seqLen);

    // Of the scores the CPU keeps the lower half and has one block of them at work; kernels on CUDA keep none.
    public override double Activations => 8.0 * Dim;

    public override VuafMixer Build(Weights w) => new VuafAttention(this, w);
}

internal sealed class VuafAttention(VuafAttentionConfig config, Weights w) : VuafMixer
{
    private readonly Tensor _qkv = w.Take(TensorSpec.Matrix("qkv.weight", 3 * config.Dim, config.Dim, Init.Xavier()) with { MuonRows = [config.Dim, config.Dim, config.Dim] });
    private readonly Tensor _out = w.Matrix("out_proj.weight", config.Dim, config.Dim, Init.Xavier());

    public override Tensor Forward(Tensor x_BTD, ForwardContext context, long read)
    {
        long batch = x_BTD.size(0), time = x_BTD.size(1);
        var qkv = Functions.Linear(x_BTD, _qkv, context.Compute).view(batch, time, 3, config.Heads, config.HeadDim).permute(2, 0, 3, 1, 4);
        var q_BHTN = qkv.select(0, 0);
        var q_BHWN = context.Rope.Turn(read == time ? q_BHTN : q_BHTN.narrow(2, time - read, read), config.RopeBase, context.Offset + time - read);
        var k_BHTN = context.Rope.Turn(qkv.select(0, 1), config.RopeBase, context.Offset);
        var (k_BHSN, v_BHSN) = context.Past.Extend(this, k_BHTN, qkv.select(0, 2));
        var y_BHWN = CausalAttention.Attend(q_BHWN, k_BHSN, v_BHSN);
        return Functions.Linear(y_BHWN.transpose(1, 2).reshape(batch, read, config.Dim), _out, context.Compute);
    }
}
