using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Hearth.Tests;

/// <summary>
/// How many bytes tensors hold on the CPU, now and at most: a c10::Allocator whose table of virtual functions is made here (Itanium
/// C++ ABI). Sizes are malloc's, so that nothing has to be remembered beside the block itself.
/// </summary>
internal static unsafe partial class CountingAllocator
{
    private const string C10 = "c10";
    private static long s_held;
    private static long s_most;

    // Blocks from before keep the deleter they came with. It lives for ever, as the one that it stands for does.
    static CountingAllocator()
    {
        nint* table = (nint*)NativeMemory.AllocZeroed(8, (nuint)sizeof(nint));
        table[0] = (nint)(delegate* unmanaged[Cdecl]<void*, void>)&Nothing;
        table[1] = (nint)(delegate* unmanaged[Cdecl]<void*, void>)&Nothing;
        table[2] = (nint)(delegate* unmanaged[Cdecl]<DataPointer*, void*, nuint, DataPointer*>)&Allocate;
        table[3] = (nint)(delegate* unmanaged[Cdecl]<void*, DataPointer*, byte>)&IsSimple;
        table[4] = (nint)(delegate* unmanaged[Cdecl]<void*, nint>)&RawDeleter;
        table[5] = (nint)(delegate* unmanaged[Cdecl]<void*, void*, void*, nuint, void>)&Copy;
        nint* allocator = (nint*)NativeMemory.AllocZeroed(1, (nuint)sizeof(nint));
        *allocator = (nint)table;
        SetCpuAllocator(allocator, 1);
    }

    /// <summary>The most bytes held since <see cref="RestartPeak"/>.</summary>
    internal static long Peak => Volatile.Read(ref s_most);

    /// <summary>Bytes held now, which the peak counts from.</summary>
    internal static long RestartPeak() => s_most = Volatile.Read(ref s_held);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Nothing(void* self)
    {
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static DataPointer* Allocate(DataPointer* result, void* self, nuint bytes)
    {
        void* data = AllocateCpu(bytes);
        long now = Interlocked.Add(ref s_held, (long)malloc_usable_size(data));
        long before;
        while ((before = Volatile.Read(ref s_most)) < now && Interlocked.CompareExchange(ref s_most, now, before) != before)
        {
        }

        *result = new DataPointer { Data = data, Deleter = (nint)(delegate* unmanaged[Cdecl]<void*, void>)&Free, Context = data, DeviceType = 0, DeviceIndex = -1 };
        return result;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Free(void* data)
    {
        Interlocked.Add(ref s_held, -(long)malloc_usable_size(data));
        FreeCpu(data);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static byte IsSimple(void* self, DataPointer* pointer) => pointer->Data == pointer->Context ? (byte)1 : (byte)0;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint RawDeleter(void* self) => (nint)(delegate* unmanaged[Cdecl]<void*, void>)&Free;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Copy(void* self, void* to, void* from, nuint bytes) => NativeMemory.Copy(from, to, bytes);

    [LibraryImport(C10, EntryPoint = "_ZN3c1015SetCPUAllocatorEPNS_9AllocatorEh")]
    private static partial void SetCpuAllocator(void* allocator, byte priority);

    [LibraryImport(C10, EntryPoint = "_ZN3c109alloc_cpuEm")]
    private static partial void* AllocateCpu(nuint bytes);

    [LibraryImport(C10, EntryPoint = "_ZN3c108free_cpuEPv")]
    private static partial void FreeCpu(void* data);

    [LibraryImport("libc")]
    private static partial nuint malloc_usable_size(void* data);

    /// <summary>c10::DataPtr as libstdc++ lays it out: the unique_ptr's tuple has the deleter first.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct DataPointer
    {
        internal void* Data;
        internal nint Deleter;
        internal void* Context;
        internal sbyte DeviceType;
        internal sbyte DeviceIndex;
    }
}
