using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static Hearth.Kernels.Autograd.NodeExports;
using static TorchSharp.torch;

namespace Hearth.Kernels.Autograd;

/// <summary>Gives the gradient of each input, in their order; null where there is none.</summary>
/// <param name="saved">What the forward pass kept, in its order.</param>
/// <param name="grads">Of each output; null where nothing came.</param>
internal delegate Tensor?[] BackwardPass(Tensor[] saved, Tensor?[] grads);

/// <param name="Outputs">Tensors that the forward pass made; the node takes them over.</param>
/// <param name="Saved">Tensors that the backward pass reads: inputs, or what nobody else holds. An output would hold its own node; save it detached.</param>
/// <param name="WithoutGradient">How many of the last outputs nothing flows back through.</param>
internal readonly record struct ForwardPass(Tensor[] Outputs, Tensor[] Saved, int WithoutGradient = 0);

/// <summary>
/// A node of autograd's graph for a kernel of ours. TorchSharp's own Function keeps a tensor of each output's size for the node's life and
/// boxes its arguments; this one keeps what the kernel saves, and lets go of it as soon as the backward pass is through the node.
/// </summary>
internal sealed unsafe class AutogradNode
{
    // Nodes live as long as autograd's graph, which only the callbacks below refer to.
    private static readonly HashSet<AutogradNode> s_alive = [];

    [ThreadStatic]
    private static ThreadBuffers? t_buffers;

    private readonly BackwardPass _backward;
    private readonly ApplyCallback _apply;
    private readonly DeletedCallback _deleted;
    private NodePointer _node;
    private nint[] _saved = [];

    private AutogradNode(BackwardPass backward)
    {
        (_backward, _apply, _deleted) = (backward, OnApply, OnDeleted);
        _node = THSAutograd_CSharpNode_ctor(Marshal.GetFunctionPointerForDelegate(_apply), Marshal.GetFunctionPointerForDelegate(_deleted));
        lock (s_alive)
        {
            s_alive.Add(this);
        }
    }

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate Handles ApplyCallback(nint* grads, int count);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate void DeletedCallback();

    /// <summary>Nodes whose graph still stands.</summary>
    internal static int AliveCount
    {
        get
        {
            lock (s_alive)
            {
                return s_alive.Count;
            }
        }
    }

    /// <summary>Whether <see cref="Apply"/> would put a node into the graph for these inputs now.</summary>
    internal static bool Records(Tensor[] inputs) => is_grad_enabled() && Array.Exists(inputs, input => input.requires_grad);

    /// <summary>Runs a forward pass without a graph and, where any input needs a gradient, puts its backward pass into the graph.</summary>
    /// <returns>The outputs.</returns>
    internal static Tensor[] Apply(Tensor[] inputs, Func<ForwardPass> forward, BackwardPass backward)
    {
        if (!Records(inputs))
        {
            return forward().Outputs;
        }

        var node = new AutogradNode(backward);
        nint* edges = stackalloc nint[inputs.Length];
        for (int i = 0; i < inputs.Length; i++)
        {
            edges[i] = inputs[i].Handle;
        }

        var variables = new Handles { Data = edges, Count = inputs.Length };
        THSAutograd_CSharpNode_setNextEdges(node._node, variables, 1);
        THSAutograd_CSharpNode_clearInputMetadata(node._node);
        try
        {
            ForwardPass made;
            using (no_grad())
            {
                made = forward();
            }

            var outputs = node.Wrap(variables, made);
            GC.KeepAlive(inputs);
            GC.KeepAlive(made.Saved);
            return outputs;
        }
        finally
        {
            // From here on the outputs hold the node; where the forward pass threw, nothing does.
            THSAutograd_CSharpNode_disposeSharedPtr(node._node);
            node._node.Shared = 0;
        }
    }

    private Tensor[] Wrap(Handles variables, ForwardPass made)
    {
        int count = made.Outputs.Length;
        nint* handles = stackalloc nint[count];
        for (int i = 0; i < count; i++)
        {
            handles[i] = made.Outputs[i].Handle;
        }

        var last = new Handles { Data = handles + count - made.WithoutGradient, Count = made.WithoutGradient };
        THSAutograd_Function_wrapOutputs(variables, last, default, new Handles { Data = handles, Count = count }, _node, &Allocate);
        _saved = new nint[made.Saved.Length];
        for (int i = 0; i < _saved.Length; i++)
        {
            _saved[i] = THSAutograd_SavedVariable_ctor(made.Saved[i].Handle, _node, 0);
        }

        var outputs = new Tensor[count];
        nint* wrapped = ThreadBuffers.Current.Outputs;
        for (int i = 0; i < count; i++)
        {
            outputs[i] = Tensor.UnsafeCreateTensor(wrapped[i]);
            made.Outputs[i].Dispose();
        }

        return outputs;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint* Allocate(nuint count) => ThreadBuffers.Current.Outputs;

    private Handles OnApply(nint* grads, int count)
    {
        var buffers = ThreadBuffers.Current;
        buffers.LetGo();
        try
        {
            using var scope = NewDisposeScope();
            var given = new Tensor?[count];
            for (int i = 0; i < count; i++)
            {
                given[i] = grads[i] == 0 ? null : Tensor.UnsafeCreateTensor(grads[i]);
            }

            var saved = Array.ConvertAll(_saved, s => Tensor.UnsafeCreateTensor(THSAutograd_SavedVariable_unpack(s, _node)));
            Tensor?[] results;
            using (no_grad())
            {
                results = _backward(saved, given);
            }

            LetGoOfSaved();
            return buffers.HandOut(results);
        }
        catch (Exception e)
        {
            BackwardFailure.Record(e);
            return default;
        }
    }

    private void OnDeleted()
    {
        LetGoOfSaved();
        THSAutograd_CSharpNode_disposeWeakPtr(_node);
        lock (s_alive)
        {
            s_alive.Remove(this);
        }
    }

    private void LetGoOfSaved()
    {
        foreach (nint saved in _saved)
        {
            THSAutograd_SavedVariable_dispose(saved);
        }

        _saved = [];
    }

    /// <summary>Small arrays that one thread hands to native code, and the gradients it handed out last, which native code has copied by its next call.</summary>
    private sealed class ThreadBuffers
    {
        private const int Most = 32;
        private readonly nint* _grads = (nint*)NativeMemory.Alloc(Most, (nuint)sizeof(nint));
        private Tensor?[] _handedOut = [];

        internal static ThreadBuffers Current => t_buffers ??= new ThreadBuffers();

        internal nint* Outputs { get; } = (nint*)NativeMemory.Alloc(Most, (nuint)sizeof(nint));

        internal Handles HandOut(Tensor?[] grads)
        {
            if (grads.Length > Most)
            {
                throw new KernelException($"a node has {grads.Length} inputs; at most {Most} are possible");
            }

            for (int i = 0; i < grads.Length; i++)
            {
                _grads[i] = grads[i]?.DetachFromDisposeScope().Handle ?? 0;
            }

            _handedOut = grads;
            return new Handles { Data = _grads, Count = grads.Length };
        }

        internal void LetGo()
        {
            foreach (var tensor in _handedOut)
            {
                tensor?.Dispose();
            }

            _handedOut = [];
        }
    }
}
