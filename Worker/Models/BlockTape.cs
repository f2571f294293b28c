using Hearth.Kernels;
using static TorchSharp.torch;

namespace Hearth.Models;

/// <summary>
/// Runs the blocks of one micro-batch's forward pass. With recomputation (Chen et al., arXiv 1604.06174) nothing inside a block
/// outlives its forward: only what crosses between blocks is kept, and <see cref="Backward"/> runs each block again, last one first,
/// on the same inputs. Without it a block is simply run. Values are the same bits either way.
/// </summary>
/// <remarks>
/// A block's forward is called twice. It reads what carries a gradient, parameters apart, through its inputs alone, gives all
/// that is used of it as outputs, draws from no generator (<see cref="KeyedDropout"/>), and leaves nothing else behind.
/// </remarks>
/// <param name="recompute">Whether blocks run again in the backward pass.</param>
public sealed class BlockTape(bool recompute)
{
    // Tensors at which autograd stops: outputs of blocks, and stand-ins for what was computed outside of them.
    private readonly HashSet<Tensor> _leaves = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Tensor, Tensor> _standIns = new(ReferenceEqualityComparer.Instance);
    private readonly List<Entry> _entries = [];

    /// <summary>Keeps everything; shared, for it remembers nothing.</summary>
    public static BlockTape Off { get; } = new(recompute: false);

    /// <summary>Whether blocks run again in the backward pass; the tape then reads tensors of the forward pass until that is done.</summary>
    public bool Recomputes => recompute;

    /// <summary>As the other, for a block from one tensor to one.</summary>
    public Tensor Run(Tensor input, Func<Tensor, Tensor> block) => Run([input], inputs => [block(inputs[0])])[0];

    /// <summary>The outputs of <paramref name="block"/>, each made by it; its other tensors are freed, as far as autograd needs none.</summary>
    public Tensor[] Run(Tensor[] inputs, Func<Tensor[], Tensor[]> block)
    {
        if (!recompute || !is_grad_enabled())
        {
            return Inside(() => block(inputs));
        }

        Tensor[] entered = [.. inputs.Select(Enter)];

        // With a graph, though it is dropped: values and kernels are then those of the second run, and an output says by itself
        // whether it carries a gradient.
        Tensor[] outputs = Inside(() => [.. block(entered).Select(Leave)]);
        _leaves.UnionWith(outputs.Where(o => o.requires_grad));
        _entries.Add(new Block(entered, outputs, block));
        return outputs;
    }

    /// <summary>Adds the gradients of a loss computed from this tape's outputs to every parameter. Once.</summary>
    public void Backward(Tensor total)
    {
        Differentiation.Backward(total);
        if (_entries.Count == 0)
        {
            return;
        }

        using var scope = NewDisposeScope();
        for (int i = _entries.Count - 1; i >= 0; i--)
        {
            using var inner = NewDisposeScope();
            _entries[i].Backward();
        }

        _entries.Clear();
        _leaves.Clear();
        _standIns.Clear();
    }

    private static Tensor[] Inside(Func<Tensor[]> body)
    {
        using var scope = NewDisposeScope();
        Tensor[] outputs = body();
        foreach (var output in outputs)
        {
            output.MoveToOuterDisposeScope();
        }

        return outputs;
    }

    private static Tensor Leave(Tensor output) => output.requires_grad ? output.detach().requires_grad_() : output;

    // Gradients gather in the stand-in while later blocks run backward, and go on into the graph behind it when none is left.
    private Tensor Enter(Tensor input)
    {
        if (!input.requires_grad || _leaves.Contains(input))
        {
            return input;
        }

        if (!_standIns.TryGetValue(input, out var standIn))
        {
            standIn = input.detach().requires_grad_();
            _standIns.Add(input, standIn);
            _entries.Add(new Origin(input, standIn));
        }

        return standIn;
    }

    private abstract record Entry
    {
        internal abstract void Backward();
    }

    private sealed record Origin(Tensor Source, Tensor StandIn) : Entry
    {
        internal override void Backward()
        {
            if (StandIn.grad is { } grad)
            {
                Differentiation.Backward([Source], [grad]);
                StandIn.grad = null;
            }
        }
    }

    private sealed record Block(Tensor[] Inputs, Tensor[] Outputs, Func<Tensor[], Tensor[]> Forward) : Entry
    {
        internal override void Backward()
        {
            var used = Outputs.Select((o, i) => (Index: i, Grad: o.requires_grad ? o.grad : null)).Where(o => o.Grad is not null).ToArray();
            if (used.Length == 0)
            {
                return;
            }

            Tensor[] again = Inside(() =>
            {
                Tensor[] all = Forward(Inputs);
                return [.. used.Select(o => all[o.Index])];
            });
            Differentiation.Backward(again, [.. used.Select(o => o.Grad!)]);
            foreach (var (index, _) in used)
            {
                Outputs[index].grad = null;
            }
        }
    }
}
