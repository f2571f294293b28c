namespace Hearth.Kernels;

/// <summary>What a search may look at. Files and python3 come as functions, so that the order of the search is a pure function.</summary>
internal sealed record LibtorchPlaces
{
    public required LibraryNames Names { get; init; }

    /// <summary>The value of HEARTH_LIBTORCH: a folder with libtorch, or with <c>lib/</c> in it; null where unset.</summary>
    public string? Given { get; init; }

    /// <summary>Where the program's own files lie.</summary>
    public required string Program { get; init; }

    /// <summary>NuGet's folder of packages, where the SDK that built this program keeps them once for all projects.</summary>
    public required string Packages { get; init; }

    /// <summary>The machine has an NVIDIA driver, so a libtorch with CUDA is of use.</summary>
    public bool HasDriver { get; init; }

    /// <summary>Asks python3 for its torch: a process, so only where the answer can matter. Null: none.</summary>
    public Func<PythonTorch?> Python { get; init; } = () => null;

    public required Func<string, bool> FileExists { get; init; }

    /// <summary>Full paths of a folder's folders; empty where it is not there.</summary>
    public Func<string, IReadOnlyList<string>> Subfolders { get; init; } = _ => [];
}

/// <summary>The torch of python3.</summary>
/// <param name="Folder">The package's folder, whose <c>lib/</c> holds libtorch.</param>
/// <param name="Version">Such as <c>2.11.0+cu130</c>.</param>
/// <param name="NvidiaFolders">The folders of the packages <c>nvidia.*</c>, which hold CUDA's own libraries in <c>lib/</c>.</param>
internal sealed record PythonTorch(string Folder, string Version, IReadOnlyList<string> NvidiaFolders);

/// <summary>A libtorch that was found.</summary>
/// <param name="Folder">Where libtorch_cpu lies.</param>
/// <param name="Source">As in <see cref="LibtorchInfo.Source"/>.</param>
/// <param name="HasCuda">libtorch_cuda lies there too.</param>
/// <param name="Folders">All folders in which libraries that it needs may lie; the first is <paramref name="Folder"/>.</param>
internal sealed record FoundLibtorch(string Folder, string Source, bool HasCuda, IReadOnlyList<string> Folders);

/// <summary>
/// Finds the libtorch to use: the one that HEARTH_LIBTORCH names; else, where there is an NVIDIA driver, the first with CUDA; else the
/// first there is: beside the program, NuGet's package, python3's. A torch without CUDA in python3 so never hides the package's own.
/// </summary>
internal static class LibtorchSearch
{
    /// <summary>The packages' versions, as in Directory.Packages.props (a test compares).</summary>
    public const string TorchSharpVersion = "0.107.0";
    public const string CpuPackageVersion = "2.10.0";

    private static readonly Version Oldest = new(2, 10);

    /// <exception cref="LibtorchException">There is none.</exception>
    public static FoundLibtorch Find(LibtorchPlaces places)
    {
        if (places.Given is { Length: > 0 } given)
        {
            return InFolder(places, given, "HEARTH_LIBTORCH")
                ?? throw new LibtorchException($"HEARTH_LIBTORCH is {given}, but neither that folder nor its lib folder holds {places.Names.Cpu}. Name the folder of a libtorch {Oldest} or newer.");
        }

        var own = BesideProgram(places);
        var package = InFolder(places, CpuPackageFolder(places), "package");
        string? refused = null;
        FoundLibtorch? python = null;
        if ((places.HasDriver && own is not { HasCuda: true }) || (own ?? package) is null)
        {
            (python, refused) = OfPython(places);
        }

        FoundLibtorch?[] candidates = [own, package, python];
        return (places.HasDriver ? candidates.FirstOrDefault(c => c is { HasCuda: true }) : null)
            ?? candidates.FirstOrDefault(c => c is not null)
            ?? throw new LibtorchException(
                $"No libtorch was found: none beside the program, none in {CpuPackageFolder(places)}, and {refused ?? "python3 has no torch"}. " +
                $"Install one (pip install torch), or let HEARTH_LIBTORCH name the folder of a libtorch {Oldest} or newer.");
    }

    /// <returns>The full path of TorchSharp's own library as it was shipped.</returns>
    /// <exception cref="LibtorchException">It is neither beside the program nor in the package.</exception>
    public static string FindLibTorchSharp(LibtorchPlaces places)
    {
        string package = Path.Combine(places.Packages, "torchsharp", TorchSharpVersion, "runtimes", places.Names.Runtime, "native");
        return OwnFolders(places).Append(package).Select(f => Path.Combine(f, places.Names.LibTorchSharp)).FirstOrDefault(places.FileExists)
            ?? throw new LibtorchException($"{places.Names.LibTorchSharp} is neither beside the program ({places.Program}) nor in {package}. Build the program again (dotnet build), or let NUGET_PACKAGES name NuGet's folder.");
    }

    private static string[] OwnFolders(LibtorchPlaces places) =>
        [Path.Combine(places.Program, "libtorch"), places.Program, Path.Combine(places.Program, "runtimes", places.Names.Runtime, "native")];

    private static string CpuPackageFolder(LibtorchPlaces places) =>
        Path.Combine(places.Packages, "libtorch-cpu-" + places.Names.Runtime, CpuPackageVersion, "runtimes", places.Names.Runtime, "native");

    private static FoundLibtorch? BesideProgram(LibtorchPlaces places) =>
        OwnFolders(places).Select(f => InFolder(places, f, "beside the program")).FirstOrDefault(f => f is not null);

    private static (FoundLibtorch? Found, string? Refused) OfPython(LibtorchPlaces places)
    {
        if (places.Python() is not { } torch)
        {
            return (null, null);
        }

        if (!Version.TryParse(torch.Version.Split('+', 'a', 'b', 'r')[0], out var version) || version < Oldest)
        {
            return (null, $"python3's torch is {torch.Version}, while {Oldest} or newer is needed");
        }

        var found = InFolder(places, torch.Folder, "python3");
        return (found is null ? null : found with { Folders = [.. found.Folders, .. LibFolders(places, torch.NvidiaFolders)] }, $"{torch.Folder} holds no {places.Names.Cpu}");
    }

    private static FoundLibtorch? InFolder(LibtorchPlaces places, string folder, string source)
    {
        foreach (string candidate in (string[])[folder, Path.Combine(folder, "lib")])
        {
            if (places.FileExists(Path.Combine(candidate, places.Names.Cpu)))
            {
                bool cuda = places.FileExists(Path.Combine(candidate, places.Names.Cuda));
                // A wheel's torch/lib, given by hand, has CUDA's libraries in the wheels beside it.
                string nvidia = Path.GetFullPath(Path.Combine(candidate, "..", "..", "nvidia"));
                return new FoundLibtorch(candidate, source, cuda, [candidate, .. cuda ? LibFolders(places, [nvidia]) : []]);
            }
        }

        return null;
    }

    private static IEnumerable<string> LibFolders(LibtorchPlaces places, IEnumerable<string> nvidiaFolders) =>
        nvidiaFolders.SelectMany(places.Subfolders).Select(f => Path.Combine(f, "lib")).Order(StringComparer.Ordinal);
}
