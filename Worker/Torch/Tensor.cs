using Hearth.Torch;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>
    /// A tensor of libtorch. Freed by <see cref="Dispose"/> or the scope it was made in; autograd keeps what it needs by itself,
    /// so early freeing is safe. The finaliser is a net for tensors made outside any scope.
    /// </summary>
    public sealed partial class Tensor : IDisposable
    {
        private nint _handle;

        internal Tensor(nint handle)
        {
            _handle = handle;
            Scope = DisposeScope.Current;
            Scope?.Add(this);
        }

        ~Tensor() => Release();

        internal DisposeScope? Scope { get; set; }

        internal nint Handle => _handle != 0 ? _handle : throw new ObjectDisposedException(nameof(Tensor));

        public bool IsInvalid => _handle == 0;

        public unsafe ScalarType dtype => (ScalarType)Info(null, 0).Type;

        public unsafe Device device
        {
            get
            {
                int index = Info(null, 0).Device;
                return index < 0 ? CPU : new Device("cuda", index);
            }
        }

        public unsafe long dim() => Info(null, 0).Dims;

        public unsafe long[] shape
        {
            get
            {
                long* sizes = stackalloc long[16];
                int dims = Info(sizes, 16).Dims;
                return new ReadOnlySpan<long>(sizes, dims).ToArray();
            }
        }

        public long size(long dimension)
        {
            long[] sizes = shape;
            return sizes[dimension < 0 ? dimension + sizes.Length : dimension];
        }

        public long numel()
        {
            long count = 1;
            foreach (long size in shape)
            {
                count *= size;
            }

            return count;
        }

        /// <summary>Bytes of all elements.</summary>
        public unsafe long bytes => Info(null, 0).Bytes;

        public unsafe bool requires_grad
        {
            get
            {
                int now;
                Native.Check(Native.ht_requires_grad(Handle, -1, &now));
                return now == 1;
            }

            set
            {
                int now;
                Native.Check(Native.ht_requires_grad(Handle, value ? 1 : 0, &now));
            }
        }

        public Tensor requires_grad_(bool requires_grad = true)
        {
            this.requires_grad = requires_grad;
            return this;
        }

        /// <summary>The gathered gradient, or null when there is none. A new handle on each read.</summary>
        public unsafe Tensor? grad
        {
            get
            {
                nint found;
                Native.Check(Native.ht_grad(Handle, 0, 0, &found));
                return found == 0 ? null : new Tensor(found);
            }

            set
            {
                nint found;
                Native.Check(Native.ht_grad(Handle, 1, value?.Handle ?? 0, &found));
                if (found != 0)
                {
                    Native.Check(Native.ht_free(found));
                }
            }
        }

        /// <summary>Adds the gradients of this one-element tensor to every leaf it depends on.</summary>
        public void backward() => Ops.Backward.Do(this, Array.Empty<Tensor>(), default, default, false);

        /// <summary>The elements in place, without a copy.</summary>
        /// <exception cref="TorchException">The tensor is not contiguous on the CPU.</exception>
        public unsafe Span<T> data<T>()
            where T : unmanaged
        {
            void* pointer;
            Native.Check(Native.ht_data(Handle, &pointer));
            long length = bytes / sizeof(T);
            return new Span<T>(pointer, checked((int)length));
        }

        /// <summary>Address and length of the elements, for tensors of any size.</summary>
        internal unsafe (nint Address, long Bytes) Memory()
        {
            void* pointer;
            Native.Check(Native.ht_data(Handle, &pointer));
            return ((nint)pointer, bytes);
        }

        /// <summary>The value of a one-element tensor.</summary>
        public T item<T>()
            where T : unmanaged
        {
            using var host = Ops.ToDtype.One(this, TypeOf<T>(), false, true, default(Arg));
            using var near = device.index < 0 ? null : host.cpu();
            var span = (near ?? host).data<T>();
            return span.Length == 1 ? span[0] : throw new TorchException($"item() of a tensor with {span.Length} elements");
        }

        /// <summary>All elements, row-major, on the host.</summary>
        public T[] ToArray<T>()
            where T : unmanaged
        {
            using var scope = NewDisposeScope();
            return detach().cpu().to(TypeOf<T>()).contiguous().data<T>().ToArray();
        }

        /// <summary>Keeps the tensor beyond the present scope: moves it to the one outside.</summary>
        public Tensor MoveToOuterDisposeScope() => Scope is { } scope ? scope.MoveToOuter(this) : this;

        /// <summary>Keeps the tensor beyond every scope; its owner disposes of it.</summary>
        public Tensor DetachFromDisposeScope()
        {
            Scope = null;
            return this;
        }

        public void Dispose()
        {
            Release();
            GC.SuppressFinalize(this);
        }

        public override string ToString() => IsInvalid ? "disposed tensor" : $"[{string.Join(", ", shape)}], {dtype}, {device}";

        internal static ScalarType TypeOf<T>() => Type.GetTypeCode(typeof(T)) switch
        {
            TypeCode.Single => ScalarType.Float32,
            TypeCode.Double => ScalarType.Float64,
            TypeCode.Int64 => ScalarType.Int64,
            TypeCode.Int32 => ScalarType.Int32,
            TypeCode.Int16 => ScalarType.Int16,
            TypeCode.Byte => ScalarType.Byte,
            TypeCode.Boolean => ScalarType.Bool,
            _ => throw new NotSupportedException($"{typeof(T)} is no element type"),
        };

        private unsafe (int Type, int Device, int Dims, long Bytes) Info(long* sizes, int capacity)
        {
            int type, device, dims;
            long bytes;
            Native.Check(Native.ht_info(Handle, &type, &device, &dims, sizes, capacity, &bytes));
            return (type, device, dims, bytes);
        }

        private void Release()
        {
            nint handle = Interlocked.Exchange(ref _handle, 0);
            if (handle != 0)
            {
                Native.Check(Native.ht_free(handle));
            }
        }
    }
}
