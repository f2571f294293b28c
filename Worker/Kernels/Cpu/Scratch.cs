using System.Runtime.InteropServices;

namespace Hearth.Kernels.Cpu;

/// <summary>Memory that a thread's kernels work in: kept from call to call, never read before it is written.</summary>
internal sealed unsafe class Scratch
{
    private const nuint CacheLine = 64;

    [ThreadStatic]
    private static Scratch? t_own;

    private byte* _data;
    private nuint _bytes;

    ~Scratch() => NativeMemory.AlignedFree(_data);

    /// <summary>Room for so many numbers, the calling thread's until it asks again.</summary>
    internal static T* Of<T>(long count)
        where T : unmanaged => (T*)(t_own ??= new Scratch()).Grown((nuint)(count * sizeof(T)));

    private byte* Grown(nuint bytes)
    {
        if (bytes > _bytes)
        {
            NativeMemory.AlignedFree(_data);
            _data = null;
            _bytes = 0;
            _data = (byte*)NativeMemory.AlignedAlloc(bytes, CacheLine);
            _bytes = bytes;
        }

        return _data;
    }
}
