using Hearth.Kernels.Door;
using static TorchSharp.torch;

namespace Hearth.Kernels;

/// <summary>Values between tensors of any type and device and arrays of the host.</summary>
public static unsafe class HostValues
{
    /// <summary>A tensor on the CPU with a copy of <paramref name="data"/>, row-major.</summary>
    /// <param name="data">As many values as the shape holds.</param>
    /// <param name="shape">Sizes; of one dimension where there are none.</param>
    /// <exception cref="ArgumentException">The shape holds another number of values.</exception>
    public static Tensor TensorOf<T>(ReadOnlySpan<T> data, params ReadOnlySpan<long> shape)
        where T : unmanaged
    {
        long count = 1;
        foreach (long size in shape)
        {
            count *= size;
        }

        if (shape.Length > 0 && count != data.Length)
        {
            throw new ArgumentException($"{data.Length} values do not fill the shape [{string.Join(", ", shape.ToArray())}]", nameof(shape));
        }

        fixed (T* pointer = data)
        {
            T nothing = default;
            using var shared = Memory.Over(pointer == null ? &nothing : pointer, shape.Length == 0 ? [data.Length] : shape, TypeOf<T>());
            return shared.clone();
        }
    }

    /// <summary>All elements, row-major, converted to T.</summary>
    public static T[] HostArray<T>(this Tensor tensor)
        where T : unmanaged
    {
        using var scope = NewDisposeScope();
        var near = tensor.detach().to(CPU).to(TypeOf<T>()).contiguous();
        return new ReadOnlySpan<T>(Memory.Pointer<T>(near), checked((int)near.numel())).ToArray();
    }

    /// <summary>The value of a one-element tensor of any type; waits for the device.</summary>
    /// <exception cref="InvalidOperationException">The tensor has more or fewer elements.</exception>
    public static double Number(this Tensor tensor) => tensor.HostArray<double>() is [var only]
        ? only
        : throw new InvalidOperationException($"a tensor of shape [{string.Join(", ", tensor.shape)}] is no single number");

    private static ScalarType TypeOf<T>() => Type.GetTypeCode(typeof(T)) switch
    {
        TypeCode.Single => ScalarType.Float32,
        TypeCode.Double => ScalarType.Float64,
        TypeCode.Int64 => ScalarType.Int64,
        TypeCode.Int32 => ScalarType.Int32,
        TypeCode.Int16 => ScalarType.Int16,
        TypeCode.Byte => ScalarType.Byte,
        TypeCode.SByte => ScalarType.Int8,
        TypeCode.Boolean => ScalarType.Bool,
        _ => throw new NotSupportedException($"{typeof(T)} is no element type"),
    };
}
