using System.Runtime.InteropServices;

namespace Hearth.Kernels.Cuda;

/// <summary>
/// The CUDA driver's API, found at run time: nothing links it, so the same build runs where there is no card. Device numbers are
/// libtorch's: both count what <c>CUDA_VISIBLE_DEVICES</c> shows. Contexts are the primary ones, which libtorch works in.
/// </summary>
internal static unsafe class CudaDriver
{
    private const int ComputeMajor = 75, ComputeMinor = 76, LongestName = 256;
    private const uint RelaxedCapture = 2;
    private static readonly Lazy<nint> s_library = new(Start);
    private static readonly Dictionary<int, nint> s_contexts = [];

    // Called at every launch, so not looked up by name each time.
    private static readonly Lazy<nint> s_launch = new(() => Function("cuLaunchKernel"));
    private static readonly Lazy<nint> s_current = new(() => Function("cuCtxGetCurrent"));
    private static readonly Lazy<nint> s_query = new(() => Function("cuStreamQuery"));

    /// <summary>Whether a driver is there and answers.</summary>
    internal static bool IsThere
    {
        get
        {
            try
            {
                return s_library.Value != 0;
            }
            catch (KernelException)
            {
                return false;
            }
        }
    }

    /// <summary>The newest CUDA that the driver knows: 13000 is 13.0.</summary>
    internal static int Version
    {
        get
        {
            int version;
            Check(((delegate* unmanaged[Cdecl]<int*, int>)Function("cuDriverGetVersion"))(&version), "the driver's version");
            return version;
        }
    }

    /// <summary>A card's name, for example <c>NVIDIA H200</c>.</summary>
    internal static string Name(int device)
    {
        byte* text = stackalloc byte[LongestName];
        Check(((delegate* unmanaged[Cdecl]<byte*, int, int, int>)Function("cuDeviceGetName"))(text, LongestName, Card(device)), "a card's name");
        return Marshal.PtrToStringUTF8((nint)text)!;
    }

    /// <summary>A card's compute capability: (9, 0) is Hopper's.</summary>
    internal static (int Major, int Minor) Capability(int device) => (Attribute(device, ComputeMajor), Attribute(device, ComputeMinor));

    /// <summary>Bytes of a card's memory: those nobody holds, and all.</summary>
    internal static (long Free, long Total) Memory(int device)
    {
        using var on = On(device);
        nuint free, total;
        Check(((delegate* unmanaged[Cdecl]<nuint*, nuint*, int>)Function("cuMemGetInfo_v2"))(&free, &total), "a card's free memory");
        return ((long)free, (long)total);
    }

    /// <summary>Makes a card current for this thread until disposed.</summary>
    internal static OnDevice On(int device)
    {
        nint before, wanted = Context(device);
        Check(((delegate* unmanaged[Cdecl]<nint*, int>)s_current.Value)(&before), "the current context");
        if (before == wanted)
        {
            return default;
        }

        MakeCurrent(wanted);
        return new OnDevice(before);
    }

    /// <summary>Waits for everything queued on the current card.</summary>
    /// <exception cref="KernelException">Something that ran there failed.</exception>
    internal static void Synchronize() => Check(((delegate* unmanaged[Cdecl]<int>)Function("cuCtxSynchronize"))(), "work on the card");

    /// <summary>Whether a failure on the card reached this stream, without waiting for it.</summary>
    internal static void CheckStream(nint stream)
    {
        const int notReady = 600;
        int code = ((delegate* unmanaged[Cdecl]<nint, int>)s_query.Value)(stream);
        Check(code == notReady ? 0 : code, "work on the card");
    }

    internal static CaptureStatus Capturing(nint stream)
    {
        int status;
        Check(((delegate* unmanaged[Cdecl]<nint, int*, int>)Function("cuStreamIsCapturing"))(stream, &status), "a stream's state");
        return (CaptureStatus)status;
    }

    internal static void BeginCapture(nint stream) =>
        Check(((delegate* unmanaged[Cdecl]<nint, uint, int>)Function("cuStreamBeginCapture_v2"))(stream, RelaxedCapture), "the start of a capture");

    /// <summary>Ends a capture and drops what it holds; a broken one too.</summary>
    internal static void DropCapture(nint stream)
    {
        nint graph = 0;
        if (((delegate* unmanaged[Cdecl]<nint, nint*, int>)Function("cuStreamEndCapture"))(stream, &graph) == 0 && graph != 0)
        {
            _ = ((delegate* unmanaged[Cdecl]<nint, int>)Function("cuGraphDestroy"))(graph);
        }
    }

    /// <summary>Loads machine code on the current card.</summary>
    /// <returns>The driver's code: 0, or why it refused.</returns>
    internal static int Load(ReadOnlySpan<byte> code, out nint module)
    {
        nint loaded;
        fixed (byte* image = code)
        {
            int result = ((delegate* unmanaged[Cdecl]<nint*, byte*, int>)Function("cuModuleLoadData"))(&loaded, image);
            module = result == 0 ? loaded : 0;
            return result;
        }
    }

    internal static nint Kernel(nint module, string name)
    {
        nint function;
        nint text = Marshal.StringToCoTaskMemUTF8(name);
        int result = ((delegate* unmanaged[Cdecl]<nint*, nint, nint, int>)Function("cuModuleGetFunction"))(&function, module, text);
        Marshal.FreeCoTaskMem(text);
        Check(result, name);
        return function;
    }

    /// <summary>Queues blocks of a kernel along the first axis.</summary>
    /// <returns>The driver's code.</returns>
    internal static int Launch(nint function, uint blocks, uint threads, nint stream, void** arguments) =>
        ((delegate* unmanaged[Cdecl]<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)s_launch.Value)(
            function, blocks, 1, 1, threads, 1, 1, 0, stream, arguments, null);

    /// <exception cref="KernelException">The driver refused.</exception>
    internal static void Check(int result, string what)
    {
        if (result == 0)
        {
            return;
        }

        nint text = 0;
        _ = ((delegate* unmanaged[Cdecl]<int, nint*, int>)Function("cuGetErrorString"))(result, &text);
        throw new KernelException($"CUDA refused {what}: {(text == 0 ? "unknown error" : Marshal.PtrToStringUTF8(text))} ({result})");
    }

    /// <exception cref="KernelException">The driver lacks it.</exception>
    internal static nint Function(string name) => NativeLibrary.TryGetExport(s_library.Value, name, out nint address)
        ? address
        : throw new KernelException($"the CUDA driver has no {name}: it is too old");

    private static void MakeCurrent(nint context) => Check(((delegate* unmanaged[Cdecl]<nint, int>)Function("cuCtxSetCurrent"))(context), "a card's context");

    // Retained for the life of the process, as libtorch's own use of it is.
    private static nint Context(int device)
    {
        lock (s_contexts)
        {
            if (!s_contexts.TryGetValue(device, out nint context))
            {
                Check(((delegate* unmanaged[Cdecl]<nint*, int, int>)Function("cuDevicePrimaryCtxRetain"))(&context, Card(device)), "a card's context");
                s_contexts[device] = context;
            }

            return context;
        }
    }

    private static int Card(int device)
    {
        int card;
        Check(((delegate* unmanaged[Cdecl]<int*, int, int>)Function("cuDeviceGet"))(&card, device), $"the card {device}");
        return card;
    }

    private static int Attribute(int device, int attribute)
    {
        int value;
        Check(((delegate* unmanaged[Cdecl]<int*, int, int, int>)Function("cuDeviceGetAttribute"))(&value, attribute, Card(device)), "a card's attribute");
        return value;
    }

    private static nint Start()
    {
        string name = OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";
        if (!NativeLibrary.TryLoad(name, out nint library))
        {
            throw new KernelException($"{name} was not found: this machine has no CUDA driver");
        }

        int result = ((delegate* unmanaged[Cdecl]<uint, int>)NativeLibrary.GetExport(library, "cuInit"))(0);
        return result == 0 ? library : throw new KernelException($"the CUDA driver does not start (error {result})");
    }

    /// <summary>Gives this thread its former card back.</summary>
    internal readonly ref struct OnDevice(nint before)
    {
        public void Dispose()
        {
            if (before != 0)
            {
                MakeCurrent(before);
            }
        }
    }
}

/// <summary>As cuStreamIsCapturing tells it.</summary>
internal enum CaptureStatus
{
    None,
    Active,
    Invalidated,
}
