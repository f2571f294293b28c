using System.Runtime.InteropServices;

namespace Hearth.Kernels.Door;

/// <summary>
/// libtorch's stable C ABI (torch/csrc/stable/c/shim.h and aoti_torch/c/shim.h): a slot of 64 bits an argument, lists and strings by
/// handle. Every function but the first gives 0, or 1 after it printed the error's text on stderr.
/// </summary>
internal static unsafe partial class Dispatcher
{
    private const string Library = "torch_cpu";

    [LibraryImport(Library)]
    internal static partial ulong aoti_torch_abi_version();

    [LibraryImport(Library)]
    internal static partial int torch_call_dispatcher(byte* name, byte* overload, ulong* stack, ulong version);

    /// <summary>A new handle of the same tensor; the caller's to free, or the dispatcher's once it lies on a stack.</summary>
    [LibraryImport(Library)]
    internal static partial int aoti_torch_new_tensor_handle(nint from, nint* to);

    [LibraryImport(Library)]
    internal static partial int aoti_torch_get_data_ptr(nint tensor, void** data);

    [LibraryImport(Library)]
    internal static partial int aoti_torch_create_tensor_from_blob(void* data, long dims, long* sizes, long* strides, long offset, int type, int deviceType, int device, nint* tensor);

    [LibraryImport(Library)]
    internal static partial int torch_new_list_reserve_size(nuint size, nint* list);

    [LibraryImport(Library)]
    internal static partial int torch_list_push_back(nint list, ulong value);

    [LibraryImport(Library)]
    internal static partial int torch_list_size(nint list, nuint* size);

    [LibraryImport(Library)]
    internal static partial int torch_list_get_item(nint list, nuint index, ulong* value);

    [LibraryImport(Library)]
    internal static partial int torch_delete_list(nint list);

    [LibraryImport(Library)]
    internal static partial int torch_new_string_handle(byte* text, nuint length, nint* handle);

    /// <summary>Runs <paramref name="body"/>(begin, end, context) over parts of a range on libtorch's own threads.</summary>
    [LibraryImport(Library)]
    internal static partial int torch_parallel_for(long begin, long end, long grain, delegate* unmanaged[Cdecl]<long, long, void*, void> body, void* context);

    [LibraryImport(Library)]
    internal static partial int torch_get_num_threads(uint* threads);

    /// <exception cref="InvalidOperationException">The call failed; libtorch printed why.</exception>
    internal static void Check(int code, string what)
    {
        if (code != 0)
        {
            throw new KernelException($"{what} failed; libtorch's words are on standard error.");
        }
    }
}
