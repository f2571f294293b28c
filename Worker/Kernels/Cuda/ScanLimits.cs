namespace Hearth.Kernels.Cuda;

/// <summary>What a scan on CUDA keeps in registers.</summary>
internal static class ScanLimits
{
    /// <summary>Channels of a head, or states, at most.</summary>
    internal const long Channels = 64;
}
