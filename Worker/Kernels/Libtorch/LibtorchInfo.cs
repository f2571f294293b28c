namespace Hearth.Kernels;

/// <summary>The libtorch that this process computes with.</summary>
/// <param name="Version">Of libtorch, such as <c>2.10.0</c>.</param>
/// <param name="Folder">Where libtorch_cpu lies.</param>
/// <param name="Source">Why this one: <c>HEARTH_LIBTORCH</c>, <c>beside the program</c>, <c>python3</c> or <c>package</c>.</param>
/// <param name="Cuda">Major version of the CUDA that it was built for, such as <c>13</c>; null without CUDA.</param>
/// <param name="LibTorchSharp">The file of TorchSharp's own library that was loaded.</param>
/// <param name="Patched">That file is our copy, made loadable over this machine's older libstdc++.</param>
public sealed record LibtorchInfo(string Version, string Folder, string Source, string? Cuda, string LibTorchSharp, bool Patched)
{
    /// <summary>Version and flavour alone: what decides the bits of a run. Stored with each attempt.</summary>
    public string Name => Cuda is null ? $"libtorch {Version} (CPU)" : $"libtorch {Version} (CUDA {Cuda})";

    /// <summary>One sentence for the log.</summary>
    public override string ToString() =>
        $"{Name} of {Source}, {Folder}{(Patched ? "; this machine's libstdc++ is older than TorchSharp's library expects, so a copy that does without the newer version is used" : "")}";
}
