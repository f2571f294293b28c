namespace Hearth.Kernels;

/// <summary>File names of the native libraries on one operating system.</summary>
internal sealed record LibraryNames(string Runtime, string Prefix, string Suffix)
{
    public static LibraryNames Linux { get; } = new("linux-x64", "lib", ".so");

    /// <summary>By TorchSharp's own package; the project's suites have not run there.</summary>
    public static LibraryNames Windows { get; } = new("win-x64", "", ".dll");

    public static LibraryNames Here { get; } = OperatingSystem.IsWindows() ? Windows : Linux;

    public string Cpu => Of("torch_cpu");

    public string Cuda => Of("torch_cuda");

    public string LibTorchSharp => Of("LibTorchSharp");

    public string Of(string name) => Prefix + name + Suffix;

    /// <summary>What has to be in the process before LibTorchSharp, each after what it needs; those of CUDA may be missing.</summary>
    public IReadOnlyList<string> InOrder => [Of("c10"), Cpu, Of("c10_cuda"), Cuda, Of("torch")];
}
