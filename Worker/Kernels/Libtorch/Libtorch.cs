using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Hearth.Kernels;

/// <summary>
/// Finds a libtorch and brings it into the process, before anything of TorchSharp is touched. Programs and test assemblies that compute
/// call <see cref="Load"/> first, in a method that names nothing of TorchSharp; nothing here happens by referencing this assembly alone, so the coordinator stays without libtorch.
/// </summary>
public static class Libtorch
{
    private static readonly Lazy<LibtorchInfo> Loaded = new(LoadOnce);
    private static FoundLibtorch? _found;

    /// <summary>Loads libtorch at the first call; later ones, from any thread, give the same answer (or throw the same exception).</summary>
    /// <exception cref="LibtorchException">None can be used here; the message says what is missing.</exception>
    public static LibtorchInfo Load() => Loaded.Value;

    /// <summary>The file of one of this libtorch's own libraries, such as <c>torch_cuda</c>; null where it has none of that name.</summary>
    internal static string? OwnLibrary(string name)
    {
        string file = Path.Combine(Load().Folder, LibraryNames.Here.Of(name));
        return File.Exists(file) ? file : null;
    }

    /// <summary>The folders in which this libtorch's libraries, and those that came with it, lie.</summary>
    internal static IEnumerable<string> Folders()
    {
        Load();
        return _found!.Folders.Where(Directory.Exists);
    }

    private static LibtorchInfo LoadOnce()
    {
        Machine.Check(OperatingSystem.IsLinux(), OperatingSystem.IsWindows(), RuntimeInformation.ProcessArchitecture, RuntimeInformation.RuntimeIdentifier);
        var places = PlacesHere();
        var names = places.Names;
        string shipped = LibtorchSearch.FindLibTorchSharp(places);
        var found = LibtorchSearch.Find(places);
        bool patch = !LoadableLibTorchSharp.MachineHasNewestNeed();
        string libTorchSharp = patch ? LoadableLibTorchSharp.WeakCopy(shipped, CacheFolder.Path) : shipped;

        var roots = names.InOrder.Select(n => Path.Combine(found.Folder, n)).Where(File.Exists).ToArray();
        foreach (string library in LibraryOrder.Of(roots, found.Folders, File.Exists, NeedsOf))
        {
            // What a root needs may lie elsewhere too, so only a root's own refusal counts.
            LoadLibrary(library, optional: !roots.Contains(library));
        }

        string version = VersionOf(found, names);
        LoadLibrary(libTorchSharp, optional: false);

        TellTorchSharp(found.HasCuda);
        _found = found;
        return new LibtorchInfo(version, found.Folder, found.Source, found.HasCuda ? CudaOf(found, names) : null, libTorchSharp, patch);
    }

    // Apart from what loads: a method that names torch may run TorchSharp's static constructor as soon as it is compiled. Asked with CUDA even
    // where there is no card: TorchSharp then counts that half as loaded, and says itself that no device is there.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void TellTorchSharp(bool cuda) => torch.TryInitializeDeviceType(cuda ? DeviceType.CUDA : DeviceType.CPU);

    private static LibtorchPlaces PlacesHere() => new()
    {
        Names = LibraryNames.Here,
        Given = Environment.GetEnvironmentVariable("HEARTH_LIBTORCH"),
        Program = AppContext.BaseDirectory,
        Packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } packages
            ? packages
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages"),
        HasDriver = NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1", out _),
        Python = PythonTorchProbe.Ask,
        FileExists = File.Exists,
        Subfolders = folder => Directory.Exists(folder) ? Directory.GetDirectories(folder) : [],
    };

    // Windows has no such table here; its loader finds what lies in the folder of the library that it loads.
    /// <exception cref="LibtorchException">The file cannot be read as a library: the message names it.</exception>
    internal static IReadOnlyList<string> NeedsOf(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return [];
        }

        try
        {
            using var file = File.OpenRead(path);
            return new ElfFile(file).NeededLibraries();
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new LibtorchException($"{path} is no whole library: {e.Message} Copy or install it again, or let HEARTH_LIBTORCH name another libtorch.", e);
        }
    }

    private static void LoadLibrary(string path, bool optional)
    {
        try
        {
            NativeLibrary.Load(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            if (!optional)
            {
                throw new LibtorchException(Machine.WhyNotLoaded(path, e.Message), e);
            }
        }
    }

    // The stable C ABI carries libtorch's version in its upper bytes: 0x020a00... is 2.10.0. Libraries before 2.10 lack what we call.
    private static unsafe string VersionOf(FoundLibtorch found, LibraryNames names)
    {
        nint cpu = NativeLibrary.Load(Path.Combine(found.Folder, names.Cpu));
        if (!NativeLibrary.TryGetExport(cpu, "torch_call_dispatcher", out _) || !NativeLibrary.TryGetExport(cpu, "aoti_torch_abi_version", out nint export))
        {
            throw new LibtorchException($"The libtorch in {found.Folder} ({found.Source}) is older than 2.10, which is the least that works. Install a newer one, or let HEARTH_LIBTORCH name it.");
        }

        ulong abi = ((delegate* unmanaged[Cdecl]<ulong>)export)();
        return string.Create(CultureInfo.InvariantCulture, $"{abi >> 56}.{(abi >> 48) & 0xff}.{(abi >> 40) & 0xff}");
    }

    private static string CudaOf(FoundLibtorch found, LibraryNames names)
    {
        const string Runtime = "libcudart.so.";
        string? need = NeedsOf(Path.Combine(found.Folder, names.Cuda)).FirstOrDefault(n => n.StartsWith(Runtime, StringComparison.Ordinal));
        need ??= Directory.EnumerateFiles(found.Folder, "cudart64_*").Select(Path.GetFileNameWithoutExtension).FirstOrDefault();
        return need is null ? "unknown" : need.StartsWith(Runtime, StringComparison.Ordinal) ? need[Runtime.Length..] : need["cudart64_".Length..];
    }
}
