using System.Runtime.InteropServices;

namespace Hearth.Kernels.Cuda;

/// <summary>NVIDIA's runtime compiler: CUDA C++ text to machine code for one architecture. It comes with libtorch's CUDA part, so a worker needs no toolkit.</summary>
internal sealed unsafe class Nvrtc
{
    private static readonly Lazy<Nvrtc> s_found = new(Find);
    private readonly nint _library;

    private Nvrtc(nint library, string path)
    {
        (_library, Path) = (library, path);
        int major, minor;
        Check(((delegate* unmanaged[Cdecl]<int*, int*, int>)Function("nvrtcVersion"))(&major, &minor), "NVRTC's version");
        Version = (major, minor);
    }

    /// <summary>The one of this process.</summary>
    /// <exception cref="KernelException">There is none.</exception>
    internal static Nvrtc Found => s_found.Value;

    internal string Path { get; }

    internal (int Major, int Minor) Version { get; }

    /// <summary>Compiles to machine code.</summary>
    /// <param name="text">The whole source.</param>
    /// <param name="options">As for nvrtcCompileProgram; the architecture is a real one, sm_90 and the like.</param>
    /// <exception cref="KernelException">It does not compile; the message ends with the compiler's log.</exception>
    internal byte[] Compile(string text, IReadOnlyList<string> options)
    {
        nint program = 0, source = Marshal.StringToCoTaskMemUTF8(text), file = Marshal.StringToCoTaskMemUTF8("hearth.cu");
        nint* given = stackalloc nint[options.Count];
        for (int i = 0; i < options.Count; i++)
        {
            given[i] = Marshal.StringToCoTaskMemUTF8(options[i]);
        }

        try
        {
            Check(((delegate* unmanaged[Cdecl]<nint*, nint, nint, int, nint*, nint*, int>)Function("nvrtcCreateProgram"))(&program, source, file, 0, null, null), "a program");
            int result = ((delegate* unmanaged[Cdecl]<nint, int, nint*, int>)Function("nvrtcCompileProgram"))(program, options.Count, given);
            if (result != 0)
            {
                byte[] log = Bytes(program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog");
                throw new KernelException($"a kernel does not compile with {string.Join(' ', options)}:\n{System.Text.Encoding.UTF8.GetString(log).TrimEnd('\0')}");
            }

            return Bytes(program, "nvrtcGetCUBINSize", "nvrtcGetCUBIN");
        }
        finally
        {
            if (program != 0)
            {
                _ = ((delegate* unmanaged[Cdecl]<nint*, int>)Function("nvrtcDestroyProgram"))(&program);
            }

            Marshal.FreeCoTaskMem(source);
            Marshal.FreeCoTaskMem(file);
            for (int i = 0; i < options.Count; i++)
            {
                Marshal.FreeCoTaskMem(given[i]);
            }
        }
    }

    private static Nvrtc Find()
    {
        var (library, path) = CudaLibraries.Load("nvrtc", "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so", "nvrtc64_130_0.dll", "nvrtc64_120_0.dll");
        return new Nvrtc(library, path);
    }

    private byte[] Bytes(nint program, string sizeFunction, string function)
    {
        nuint size;
        Check(((delegate* unmanaged[Cdecl]<nint, nuint*, int>)Function(sizeFunction))(program, &size), sizeFunction);
        byte[] bytes = new byte[size];
        fixed (byte* to = bytes)
        {
            Check(((delegate* unmanaged[Cdecl]<nint, byte*, int>)Function(function))(program, to), function);
        }

        return bytes;
    }

    private void Check(int result, string what)
    {
        if (result != 0)
        {
            nint text = ((delegate* unmanaged[Cdecl]<int, nint>)Function("nvrtcGetErrorString"))(result);
            throw new KernelException($"NVRTC ({Path}) refused {what}: {Marshal.PtrToStringUTF8(text)}");
        }
    }

    private nint Function(string name) => NativeLibrary.TryGetExport(_library, name, out nint address)
        ? address
        : throw new KernelException($"{Path} has no {name}");
}
