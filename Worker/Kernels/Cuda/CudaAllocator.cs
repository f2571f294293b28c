using System.Runtime.InteropServices;
using Hearth.Kernels.Runtime;

namespace Hearth.Kernels.Cuda;

/// <summary>
/// libtorch's caching allocator for CUDA: what it holds, and giving back what it only keeps. No C function tells either, so its virtual
/// functions are called by their places in c10::DeviceAllocator (c10/core/CachingDeviceAllocator.h), after checks that the class is the
/// one known here: where it is not, there is no answer.
/// </summary>
internal static unsafe class CudaAllocator
{
    // Places in the table of functions: Allocator's six, then DeviceAllocator's own seven.
    private const int Allocate = 2, CopyData = 5, Initialized = 6, Empty = 7, Stats = 9, RestartPeaks = 11, MemoryInfo = 12, Functions = 13;

    // The statistics begin with arrays of three Stat: allocation, segment, active, inactive_split, allocated_bytes, reserved_bytes.
    private const int WordsOfStat = 4, WordsOfArray = 3 * WordsOfStat, AllocatedBytes = 4 * WordsOfArray, ReservedBytes = 5 * WordsOfArray;
    private const int RoomForStatistics = 1 << 16;
    private static readonly Lazy<nint> s_cell = new(Find);

    /// <summary>Bytes of a device that tensors hold and that the allocator holds, now and at most; null where it cannot be asked, or did nothing yet.</summary>
    internal static MemoryUse? Use(int device)
    {
        nint allocator = Ready();
        if (allocator == 0)
        {
            return null;
        }

        long* statistics = (long*)NativeMemory.AllocZeroed(RoomForStatistics);
        try
        {
            ((delegate* unmanaged[Cdecl]<long*, nint, sbyte, long*>)Function(allocator, Stats))(statistics, allocator, (sbyte)device);
            return new MemoryUse(statistics[AllocatedBytes], statistics[AllocatedBytes + 1], statistics[ReservedBytes], statistics[ReservedBytes + 1]);
        }
        finally
        {
            NativeMemory.Free(statistics);
        }
    }

    /// <summary>Lets the peaks begin again at what is held now.</summary>
    internal static void RestartPeak(int device)
    {
        if (Ready() is not 0 and var allocator)
        {
            ((delegate* unmanaged[Cdecl]<nint, sbyte, void>)Function(allocator, RestartPeaks))(allocator, (sbyte)device);
        }
    }

    /// <summary>Gives unused blocks of all devices back to the driver. Waits for the devices.</summary>
    internal static void EmptyCache()
    {
        if (Ready() is not 0 and var allocator)
        {
            ((delegate* unmanaged[Cdecl]<nint, ulong, ulong, void>)Function(allocator, Empty))(allocator, 0, 0);
        }
    }

    private static nint Ready()
    {
        nint allocator = s_cell.Value == 0 ? 0 : *(nint*)s_cell.Value;
        return allocator != 0 && IsDeviceAllocator(allocator) && ((delegate* unmanaged[Cdecl]<nint, byte>)Function(allocator, Initialized))(allocator) != 0 ? allocator : 0;
    }

    private static nint Function(nint allocator, int place) => (*(nint**)allocator)[place];

    // Where the pointer to the allocator in use lies; 0 where the class is not the one known here.
    private static nint Find() =>
        OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64
        && Libtorch.OwnLibrary("c10_cuda") is { } cuda && Libtorch.OwnLibrary("c10") is { } core && KnowsClass(core)
        && NativeLibrary.TryGetExport(NativeLibrary.Load(cuda), "_ZN3c104cuda20CUDACachingAllocator9allocatorE", out nint cell)
            ? cell
            : 0;

    /// <summary>Whether c10::DeviceAllocator of that library has the functions known here: as many, and pure ones where they are pure.</summary>
    internal static bool KnowsClass(string core)
    {
        const string table = "_ZTVN3c1015DeviceAllocatorE";
        if (ElfSymbols.Find(core, table)[0] is not { Name: table, Bytes: (Functions + 2) * sizeof(long) } || !NativeLibrary.TryGetExport(NativeLibrary.Load(core), table, out nint address))
        {
            return false;
        }

        // Two words go before the functions. A pure one is the same everywhere: the trap that such a call falls into.
        nint* functions = (nint*)address + 2;
        bool known = true;
        for (int place = Allocate; place < Functions; place++)
        {
            bool pure = place is Allocate or CopyData or (>= Initialized and < MemoryInfo);
            known &= pure == (functions[place] == functions[Allocate]);
        }

        return known;
    }

    // By the runtime's type information (Itanium C++ ABI, 2.9.5): a class of one base names it in its third word.
    private static bool IsDeviceAllocator(nint instance)
    {
        nint* type = (nint*)(*(nint**)instance)[-1];
        nint singleBase = *(nint*)NativeLibrary.GetExport(NativeLibrary.Load(Libtorch.OwnLibrary("c10")!), "_ZTIN3c1015DeviceAllocatorE");
        while (true)
        {
            if (MemoryMarshal.CreateReadOnlySpanFromNullTerminated((byte*)type[1]).SequenceEqual("N3c1015DeviceAllocatorE"u8))
            {
                return true;
            }

            if (type[0] != singleBase)
            {
                return false;
            }

            type = (nint*)type[2];
        }
    }
}
