using Hearth.Torch;

namespace TorchSharp;

/// <summary>Names and signatures follow TorchSharp's <c>torch</c> class; only what Models and Training use is here.</summary>
public static partial class torch
{
    /// <summary>Element types, numbered as in libtorch.</summary>
    public enum ScalarType : sbyte
    {
        Byte = 0,
        Int8 = 1,
        Int16 = 2,
        Int32 = 3,
        Int64 = 4,
        Float16 = 5,
        Float32 = 6,
        Float64 = 7,
        Bool = 11,
        BFloat16 = 15,
    }

    public const ScalarType uint8 = ScalarType.Byte;
    public const ScalarType int32 = ScalarType.Int32;
    public const ScalarType int64 = ScalarType.Int64;
    public const ScalarType int8 = ScalarType.Int8;
    public const ScalarType float16 = ScalarType.Float16;
    public const ScalarType float32 = ScalarType.Float32;
    public const ScalarType float64 = ScalarType.Float64;
    public const ScalarType bfloat16 = ScalarType.BFloat16;
    public const ScalarType @bool = ScalarType.Bool;

    public static Device CPU { get; } = new("cpu", -1);

    /// <summary><c>cpu</c>, or <c>cuda:N</c>.</summary>
    public static Device device(string text) => text == "cpu" ? CPU
        : text == "cuda" ? new Device("cuda", 0)
        : text.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(text.AsSpan(5), out int index) ? new Device("cuda", index)
        : throw new ArgumentException($"device is {text}. Allowed: cpu, cuda, cuda:N.", nameof(text));

    public sealed record Device(string Type, int index)
    {
        public override string ToString() => index < 0 ? Type : $"{Type}:{index}";
    }

    public static unsafe long LiveTensors
    {
        get
        {
            long live;
            Native.Check(Native.ht_live(&live));
            return live;
        }
    }

    public static unsafe string __version__
    {
        get
        {
            byte* text;
            Native.Check(Native.ht_version(&text));
            return System.Runtime.InteropServices.Marshal.PtrToStringUTF8((nint)text)!;
        }
    }

    public static void manual_seed(long seed)
    {
        Native.Check(Native.ht_rng_seed(-1, (ulong)seed));
        for (int i = 0; i < cuda.device_count(); i++)
        {
            Native.Check(Native.ht_rng_seed(i, (ulong)seed));
        }
    }

    public static unsafe Tensor get_rng_state(Device? device = null)
    {
        nint state;
        Native.Check(Native.ht_rng_state(device?.index ?? -1, 0, &state));
        return new Tensor(state);
    }

    public static unsafe void set_rng_state(Tensor state, Device? device = null)
    {
        nint now;
        Native.Check(Native.ht_rng_state(device?.index ?? -1, state.Handle, &now));
        Native.Check(Native.ht_free(now));
    }

    public static unsafe void set_num_threads(int threads)
    {
        int now;
        Native.Check(Native.ht_threads(threads, &now));
    }

    public static unsafe int get_num_threads()
    {
        int now;
        Native.Check(Native.ht_threads(0, &now));
        return now;
    }

    /// <summary>
    /// Makes operators choose algorithms that give the same bits each time; one that has none warns. Call it before the first product
    /// on CUDA.
    /// </summary>
    public static unsafe void use_deterministic_algorithms(bool mode)
    {
        int now;
        Native.Check(Native.ht_deterministic(mode ? 1 : 0, &now));
    }

    /// <summary>Until disposed, nothing on this thread records a graph.</summary>
    public static IDisposable no_grad() => new GradMode(false);

    public static IDisposable enable_grad() => new GradMode(true);

    public static unsafe bool is_grad_enabled()
    {
        int now;
        Native.Check(Native.ht_grad_mode(-1, &now));
        return now == 1;
    }

    public static DisposeScope NewDisposeScope() => new();

    public static class autograd
    {
        /// <summary>Adds to every leaf what it contributes to each tensor, times that tensor's gradient (of the tensor's shape).</summary>
        public static void backward(IList<Tensor> tensors, IList<Tensor> grad_tensors)
        {
            if (tensors.Count == 1)
            {
                Ops.Backward.Do(tensors[0], Array.Empty<Tensor>(), grad_tensors[0], default, false);
                return;
            }

            // The operator takes one root. The derivative of this sum by each tensor is its gradient, bit for bit.
            using var scope = NewDisposeScope();
            tensors.Zip(grad_tensors, (tensor, grad) => (tensor * grad).sum()).Aggregate((sum, next) => sum + next).backward();
        }
    }

    public static class cuda
    {
        public static unsafe int device_count()
        {
            int devices;
            Native.Check(Native.ht_cuda_count(&devices));
            return devices;
        }

        public static bool is_available() => device_count() > 0;

        public static void synchronize(Device device) => Native.Check(Native.ht_cuda_sync(device.index));
    }

    private sealed unsafe class GradMode : IDisposable
    {
        private readonly int _before;

        public GradMode(bool on)
        {
            int before;
            Native.Check(Native.ht_grad_mode(on ? 1 : 0, &before));
            _before = before;
        }

        public void Dispose()
        {
            int now;
            Native.Check(Native.ht_grad_mode(_before, &now));
        }
    }
}

/// <summary>
/// Frees at its end every tensor made on this thread inside it, except those moved out. Scopes nest; a tensor belongs to the
/// innermost one alive when it was made.
/// </summary>
public sealed class DisposeScope : IDisposable
{
    [ThreadStatic]
    private static DisposeScope? t_current;

    private readonly DisposeScope? _outer = t_current;
    private readonly List<torch.Tensor> _tensors = [];

    internal DisposeScope() => t_current = this;

    internal static DisposeScope? Current => t_current;

    /// <summary>Hands a tensor to the surrounding scope, or to nobody when this is the outermost.</summary>
    public torch.Tensor MoveToOuter(torch.Tensor tensor)
    {
        tensor.Scope = _outer;
        _outer?.Add(tensor);
        return tensor;
    }

    internal void Add(torch.Tensor tensor) => _tensors.Add(tensor);

    public void Dispose()
    {
        t_current = _outer;
        foreach (var tensor in _tensors)
        {
            if (ReferenceEquals(tensor.Scope, this))
            {
                tensor.Dispose();
            }
        }

        _tensors.Clear();
    }
}

/// <summary>A number of either kind, as operators take it.</summary>
public readonly struct Scalar
{
    private Scalar(bool whole, long integer, double real) => (IsWhole, Whole, Real) = (whole, integer, real);

    internal bool IsWhole { get; }
    internal long Whole { get; }
    internal double Real { get; }

    public static implicit operator Scalar(int value) => new(true, value, value);

    public static implicit operator Scalar(long value) => new(true, value, value);

    public static implicit operator Scalar(double value) => new(false, 0, value);

    public static implicit operator Scalar(float value) => new(false, 0, value);
}
