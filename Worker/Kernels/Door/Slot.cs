using System.Runtime.InteropServices;
using System.Text;
using static TorchSharp.torch;

namespace Hearth.Kernels.Door;

/// <summary>
/// One argument of an operator as the dispatcher takes it. Tensors, lists and strings are handles of their own that the call takes over,
/// so a slot is made for exactly one call.
/// </summary>
internal readonly unsafe struct Slot(ulong bits)
{
    internal ulong Bits { get; } = bits;

    /// <summary>An optional argument without a value.</summary>
    internal static Slot None => new(0);

    public static implicit operator Slot(Tensor tensor)
    {
        nint own;
        Dispatcher.Check(Dispatcher.aoti_torch_new_tensor_handle(tensor.Handle, &own), "a tensor's handle");
        GC.KeepAlive(tensor);
        return new((ulong)own);
    }

    public static implicit operator Slot(double value) => new(BitConverter.DoubleToUInt64Bits(value));

    public static implicit operator Slot(long value) => new((ulong)value);

    public static implicit operator Slot(bool value) => new(value ? 1ul : 0);

    public static implicit operator Slot(ScalarType type) => new((ulong)(long)type);

    public static implicit operator Slot(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        nint handle;
        fixed (byte* data = bytes)
        {
            Dispatcher.Check(Dispatcher.torch_new_string_handle(data, (nuint)bytes.Length, &handle), "a string's handle");
        }

        return new((ulong)handle);
    }

    public static implicit operator Slot(ReadOnlySpan<Tensor> tensors)
    {
        nint list = List(tensors.Length);
        foreach (var tensor in tensors)
        {
            Push(list, ((Slot)tensor).Bits);
        }

        return new((ulong)list);
    }

    public static implicit operator Slot(Tensor[] tensors) => tensors.AsSpan();

    public static implicit operator Slot(Span<Tensor> tensors) => (ReadOnlySpan<Tensor>)tensors;

    public static implicit operator Slot(long[] values)
    {
        nint list = List(values.Length);
        foreach (long value in values)
        {
            Push(list, (ulong)value);
        }

        return new((ulong)list);
    }

    /// <summary>An optional argument: the value in a cell that the callee frees with libc, as <see cref="NativeMemory.Alloc(nuint)"/> allots.</summary>
    internal static Slot Some(Slot value)
    {
        ulong* cell = (ulong*)NativeMemory.Alloc(sizeof(ulong));
        *cell = value.Bits;
        return new((ulong)cell);
    }

    internal static Slot Optional(Tensor? tensor) => tensor is null ? None : Some(tensor);

    internal static Slot Optional(double? value) => value is { } given ? Some(given) : None;

    private static nint List(int count)
    {
        nint list;
        Dispatcher.Check(Dispatcher.torch_new_list_reserve_size((nuint)count, &list), "a list");
        return list;
    }

    private static void Push(nint list, ulong value) => Dispatcher.Check(Dispatcher.torch_list_push_back(list, value), "a list's item");
}
