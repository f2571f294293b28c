using Hearth.Kernels.Door;
using static TorchSharp.torch;

namespace Hearth.Kernels.Cuda;

/// <summary>A list of tensors as a kernel reads it: rows of eight-byte fields in the card's memory, one launch for all of them.</summary>
internal static unsafe class TensorTable
{
    /// <summary>An address, as a field.</summary>
    internal static long Address(Tensor tensor) => (long)Memory.Pointer<byte>(tensor);

    /// <summary>Brings rows to a card; the values are copied before it returns.</summary>
    internal static Tensor On(Device device, long[] rows)
    {
        fixed (long* data = rows)
        {
            using var host = Memory.Over(data, [rows.Length], ScalarType.Int64);
            return host.to(device, copy: true);
        }
    }
}
