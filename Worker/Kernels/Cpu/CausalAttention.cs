using Hearth.Kernels.Autograd;
using Hearth.Kernels.Door;
using static TorchSharp.torch;

// B batch, H heads, G = B·H, T time, N width of queries and keys, M width of values.
namespace Hearth.Kernels.Cpu;

/// <summary>
/// softmax(q kᵀ) v where row t sees keys 0..t, scores unscaled, in blocks of query rows: keys behind a block are never multiplied, and what
/// is kept for the backward pass is half of a T×T matrix instead of several whole ones. Made of libtorch's products; docs/LOG.md has its
/// times beside those of libtorch's own attention.
/// </summary>
internal static class CausalAttention
{
    private const long Block = 64;
    private static readonly Operator s_softmaxBackward = new("aten::_softmax_backward_data");

    internal static Tensor Apply(Tensor q_BHTN, Tensor k_BHTN, Tensor v_BHTM)
    {
        const string kernel = "causal attention";
        Arguments.Dimensions(kernel, "q", q_BHTN, 4);
        Arguments.Dimensions(kernel, "v", v_BHTM, 4);
        Arguments.Like(kernel, "k", k_BHTN, q_BHTN.shape, q_BHTN.dtype);
        Arguments.Like(kernel, "v", v_BHTM, [.. q_BHTN.shape.AsSpan(0, 3), v_BHTM.size(3)], q_BHTN.dtype);
        Tensor[] inputs = [q_BHTN, k_BHTN, v_BHTM];
        Tensor[] weights = AutogradNode.Records(inputs) ? new Tensor[(q_BHTN.size(2) + Block - 1) / Block] : [];
        try
        {
            return AutogradNode.Apply(inputs, () => new ForwardPass([Forward(q_BHTN, k_BHTN, v_BHTM, weights)], [.. inputs, .. weights]), Backward)[0];
        }
        finally
        {
            foreach (var kept in weights)
            {
                kept?.Dispose();
            }
        }
    }

    private static Tensor Forward(Tensor q_BHTN, Tensor k_BHTN, Tensor v_BHTM, Tensor[] weights)
    {
        using var scope = NewDisposeScope();
        Tensor q = Flat(q_BHTN), k = Flat(k_BHTN), v = Flat(v_BHTM), y = empty(v.shape, v.dtype);
        var later = full([Block, Block], double.NegativeInfinity, q.dtype).triu(1);
        long time = q.size(1);
        for (long first = 0; first < time; first += Block)
        {
            using var block = NewDisposeScope();
            long rows = Math.Min(Block, time - first), last = first + rows;
            var scores = q.narrow(1, first, rows).bmm(k.narrow(1, 0, last).transpose(1, 2));
            scores.narrow(2, first, rows).add_(later.narrow(0, 0, rows).narrow(1, 0, rows));
            var seen = scores.softmax(-1);
            y.narrow(1, first, rows).copy_(seen.bmm(v.narrow(1, 0, last)));
            if (weights.Length > 0)
            {
                weights[first / Block] = seen.DetachFromDisposeScope();
            }
        }

        return y.view(v_BHTM.shape).MoveToOuterDisposeScope();
    }

    private static Tensor?[] Backward(Tensor[] saved, Tensor?[] grads)
    {
        Tensor q = Flat(saved[0]), k = Flat(saved[1]), v = Flat(saved[2]), dy = Flat(grads[0]!);
        Tensor dq = empty(q.shape, q.dtype), dk = zeros(k.shape, k.dtype), dv = zeros(v.shape, v.dtype);
        long time = q.size(1);
        for (long first = 0; first < time; first += Block)
        {
            using var block = NewDisposeScope();
            long rows = Math.Min(Block, time - first), last = first + rows;
            Tensor seen = saved[3 + (first / Block)], given = dy.narrow(1, first, rows);
            var dSeen = given.bmm(v.narrow(1, 0, last).transpose(1, 2));
            var dScores = s_softmaxBackward.One(dSeen, seen, -1L, seen.dtype);
            dq.narrow(1, first, rows).copy_(dScores.bmm(k.narrow(1, 0, last)));
            dk.narrow(1, 0, last).add_(dScores.transpose(1, 2).bmm(q.narrow(1, first, rows)));
            dv.narrow(1, 0, last).add_(seen.transpose(1, 2).bmm(given));
        }

        return [dq.view(saved[0].shape), dk.view(saved[1].shape), dv.view(saved[2].shape)];
    }

    private static Tensor Flat(Tensor x) => x.reshape(x.size(0) * x.size(1), x.size(2), x.size(3)).contiguous();
}
