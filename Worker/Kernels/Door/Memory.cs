using static TorchSharp.torch;

namespace Hearth.Kernels.Door;

/// <summary>Addresses of tensors, and tensors over addresses.</summary>
internal static unsafe class Memory
{
    /// <summary>The first element's address, on whatever device the tensor lies; the caller keeps the tensor alive.</summary>
    internal static T* Pointer<T>(Tensor tensor)
        where T : unmanaged
    {
        void* data;
        Dispatcher.Check(Dispatcher.aoti_torch_get_data_ptr(tensor.Handle, &data), "a tensor's address");
        return (T*)data;
    }

    /// <summary>A contiguous CPU tensor over memory that somebody else owns and keeps.</summary>
    internal static Tensor Over(void* data, ReadOnlySpan<long> shape, ScalarType type)
    {
        long* sizes = stackalloc long[shape.Length + 1], strides = stackalloc long[shape.Length + 1];
        long step = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            (sizes[i], strides[i]) = (shape[i], step);
            step *= shape[i];
        }

        nint handle;
        Dispatcher.Check(Dispatcher.aoti_torch_create_tensor_from_blob(data, shape.Length, sizes, strides, 0, (int)type, 0, -1, &handle), "a tensor over memory");
        return Tensor.UnsafeCreateTensor(handle);
    }
}
