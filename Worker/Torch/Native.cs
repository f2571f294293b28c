using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;

namespace Hearth.Torch;

/// <summary>Kinds of a boxed value; the same numbers as <c>ht_tag</c> in hearth_torch.h.</summary>
internal enum Tag
{
    None = 0,
    Tensor = 1,
    Int = 2,
    Double = 3,
    Bool = 4,
    Ints = 5,
    Tensors = 6,
    String = 7,
    Doubles = 8,
}

/// <summary>One boxed argument or result, 24 bytes, laid out as <c>ht_value</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Value
{
    public Tag Tag;
    public int Count;
    public long Bits;
    public nint Data;
}

/// <summary>The imports, names as in hearth_torch.h. Every function but two returns 0 or an error whose text <see cref="Check"/> throws.</summary>
internal static unsafe partial class Native
{
    private const string Library = "hearth_torch";

    static Native() => NativeLibrary.SetDllImportResolver(typeof(Native).Assembly, Resolve);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int ht_op_find(string? name, string? overload, nint* op);

    [LibraryImport(Library)]
    internal static partial int ht_op_call(nint op, Value* args, int count, Value* results, int capacity, int* written);

    [LibraryImport(Library)]
    internal static partial int ht_free(nint tensor);

    [LibraryImport(Library)]
    internal static partial int ht_free_list(Value* value);

    [LibraryImport(Library)]
    internal static partial int ht_live(long* tensors);

    [LibraryImport(Library)]
    internal static partial int ht_from_data(void* data, long* shape, int dims, int scalarType, nint* tensor);

    [LibraryImport(Library)]
    internal static partial int ht_info(nint tensor, int* scalarType, int* device, int* dims, long* shape, int capacity, long* bytes);

    [LibraryImport(Library)]
    internal static partial int ht_data(nint tensor, void** data);

    [LibraryImport(Library)]
    internal static partial int ht_requires_grad(nint tensor, int set, int* now);

    [LibraryImport(Library)]
    internal static partial int ht_grad(nint tensor, int set, nint value, nint* grad);

    [LibraryImport(Library)]
    internal static partial int ht_grad_mode(int set, int* before);

    [LibraryImport(Library)]
    internal static partial int ht_rng_seed(int device, ulong seed);

    [LibraryImport(Library)]
    internal static partial int ht_rng_state(int device, nint set, nint* state);

    [LibraryImport(Library)]
    internal static partial int ht_threads(int set, int* now);

    [LibraryImport(Library)]
    internal static partial int ht_deterministic(int set, int* now);

    [LibraryImport(Library)]
    internal static partial int ht_cuda_count(int* devices);

    [LibraryImport(Library)]
    internal static partial int ht_cuda_sync(int device);

    [LibraryImport(Library)]
    internal static partial int ht_memory(int device, int restart, long* allocated, long* peak);

    [LibraryImport(Library)]
    internal static partial int ht_cuda_graph(int action, int device, nint* graph);

    [LibraryImport(Library)]
    internal static partial int ht_version(byte** text);

    [LibraryImport(Library)]
    internal static partial int ht_noop();

    [LibraryImport(Library)]
    internal static partial byte* ht_last_error();

    /// <exception cref="TorchException">The call failed; the message is libtorch's.</exception>
    internal static void Check(int code)
    {
        if (code != 0)
        {
            throw new TorchException(LastError());
        }
    }

    internal static string LastError() => Marshal.PtrToStringUTF8((nint)ht_last_error()) ?? "unknown native error";

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (name != Library)
        {
            return 0;
        }

        var tried = new StringBuilder();
        foreach (string file in Candidates())
        {
            if (File.Exists(file))
            {
                return NativeLibrary.Load(file);
            }

            tried.Append("\n  ").Append(file);
        }

        throw new DllNotFoundException($"libhearth_torch.so was not found. Build it with Worker/native/build.sh, or set HEARTH_NATIVE. Looked at:{tried}");
    }

    private static IEnumerable<string> Candidates()
    {
        if (Environment.GetEnvironmentVariable("HEARTH_NATIVE") is { Length: > 0 } given)
        {
            yield return given;
        }

        const string file = "libhearth_torch.so";
        yield return Path.Combine(AppContext.BaseDirectory, file);
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            yield return Path.Combine(folder.FullName, ".build", "native", file);
        }
    }
}

/// <summary>An error inside libtorch or at its border: wrong shapes, types, or out of memory.</summary>
public sealed class TorchException(string message) : Exception(message);
