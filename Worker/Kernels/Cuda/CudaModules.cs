using System.Globalization;
using System.Reflection;

namespace Hearth.Kernels.Cuda;

/// <summary>The embedded CUDA sources as code that is loaded on a card.</summary>
internal static class CudaModules
{
    private static readonly Lock s_gate = new();
    private static readonly Dictionary<(string Source, string Head, int Device), nint> s_loaded = [];

    /// <summary>Names of the embedded sources that hold kernels; <c>prelude</c> goes before each of them.</summary>
    internal static IReadOnlyList<string> Sources { get; } = ["fused", "moments", "norms", "scans"];

    /// <summary>Where this user's compiled code lies.</summary>
    internal static string Folder { get; } = Path.Combine(CacheFolder.Path, "kernels");

    private static KernelCache Cache { get; } = new(Folder);

    /// <summary>The loaded code of a source with that head, compiled where no cache has it.</summary>
    internal static nint Of(string source, string head, int device)
    {
        lock (s_gate)
        {
            if (s_loaded.TryGetValue((source, head, device), out nint module))
            {
                return module;
            }

            string key = Key(source, head, device);
            byte[] Make() => Nvrtc.Found.Compile(Whole(source, head), Options(CudaDriver.Capability(device)));
            int refused = CudaDriver.Load(Cache.Get(key, Make), out module);
            if (refused != 0)
            {
                // A file can be whole and still be no code of this card: once more, from the text.
                Cache.Forget(key);
                CudaDriver.Check(CudaDriver.Load(Cache.Get(key, Make), out module), $"the compiled kernels of {source}");
            }

            s_loaded[(source, head, device)] = module;
            return module;
        }
    }

    /// <summary>What names the code of a source with that head, for a card of this machine.</summary>
    internal static string Key(string source, string head, int device)
    {
        var (major, minor) = Nvrtc.Found.Version;
        return KernelCache.Key(Whole(source, head), Options(CudaDriver.Capability(device)), string.Create(CultureInfo.InvariantCulture, $"NVRTC {major}.{minor}, driver {CudaDriver.Version}"));
    }

    /// <summary>What NVRTC is told: machine code for the card itself, so that no driver compiles anything at load.</summary>
    internal static string[] Options((int Major, int Minor) capability) =>
        [string.Create(CultureInfo.InvariantCulture, $"--gpu-architecture=sm_{capability.Major}{capability.Minor}"), "--std=c++17", "--fmad=true"];

    /// <summary>An embedded source.</summary>
    internal static string Text(string source)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"Hearth.Kernels.{source}.cu")
            ?? throw new KernelException($"no CUDA source {source} is embedded");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    private static string Whole(string source, string head) => Text("prelude") + head + Text(source);
}
