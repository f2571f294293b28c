using static TorchSharp.torch;

namespace Hearth.Kernels.Cuda;

/// <summary>
/// L2 norms of many tensors in two launches: sums of squares of pieces, then of each tensor's pieces in order, so that the bits never
/// vary.
/// </summary>
internal static class Norms
{
    /// <summary>Elements of a piece.</summary>
    internal const long Piece = 1 << 16;

    private const int Fields = 3;
    private static readonly (CudaKernel Float, CudaKernel Narrow) s_pieces =
        (new CudaKernel("norms", "square_sums", Launches.TypeHead(ScalarType.Float32)), new CudaKernel("norms", "square_sums", Launches.TypeHead(ScalarType.BFloat16)));
    private static readonly CudaKernel s_whole = new("norms", "norms", Launches.TypeHead(ScalarType.Float32));

    /// <summary>A norm for each tensor, fp32; null for types without a kernel.</summary>
    internal static Tensor[]? Of(Tensor[] tensors)
    {
        var (device, type) = (tensors[0].device, tensors[0].dtype);
        if (type is not (ScalarType.Float32 or ScalarType.BFloat16))
        {
            return null;
        }

        var rows = new List<long>(tensors.Length * Fields);
        Tensor[] inOrder = Array.ConvertAll(tensors, Launches.InOrder);
        long pieces = 0;
        foreach (var tensor in inOrder)
        {
            Launches.Require(tensor.dtype == type && tensor.device.index == device.index, "norms in one pass are of tensors of one type on one card", tensors[0], tensor);
            rows.AddRange([tensor.numel() == 0 ? 0 : TensorTable.Address(tensor), tensor.numel(), pieces]);
            pieces += (tensor.numel() + Piece - 1) / Piece;
        }

        using var table = TensorTable.On(device, [.. rows]);
        using var sums_Q = empty([Math.Max(1, pieces)], ScalarType.Float32, device);
        using var norms_N = empty([tensors.Length], ScalarType.Float32, device);
        s_pieces.For(type).Launch(device, pieces, Launches.Threads, table, tensors.Length, sums_Q);
        s_whole.Launch(device, (tensors.Length + (Launches.Threads / 32) - 1) / (Launches.Threads / 32), Launches.Threads, table, tensors.Length, pieces, sums_Q, norms_N);
        GC.KeepAlive(inOrder);
        return norms_N.unbind(0);
    }
}
