using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Hearth.Kernels.Door;

/// <summary>
/// One operator of the dispatcher by its schema's name, for what TorchSharp lacks. Every argument of the schema is passed, defaults too.
/// Autograd flows through. Scalars and generators cannot be passed this way: see torch/csrc/stable.
/// </summary>
internal sealed unsafe class Operator(string name, string overload = "")
{
    // The stack holds results afterwards: never more than this many.
    private const int LeastStack = 8;
    private static readonly Lazy<ulong> Version = new(Dispatcher.aoti_torch_abi_version);
    private readonly byte* _name = (byte*)Marshal.StringToCoTaskMemUTF8(name);
    private readonly byte* _overload = (byte*)Marshal.StringToCoTaskMemUTF8(overload);

    /// <summary>Calls an operator that gives one tensor.</summary>
    internal Tensor One(params ReadOnlySpan<Slot> arguments)
    {
        ulong* stack = stackalloc ulong[Math.Max(arguments.Length, LeastStack)];
        Call(arguments, stack);
        return Tensor.UnsafeCreateTensor((nint)stack[0]);
    }

    /// <summary>Calls an operator that gives <paramref name="count"/> tensors.</summary>
    internal Tensor[] Several(int count, params ReadOnlySpan<Slot> arguments)
    {
        ulong* stack = stackalloc ulong[Math.Max(arguments.Length, LeastStack)];
        Call(arguments, stack);
        var tensors = new Tensor[count];
        for (int i = 0; i < count; i++)
        {
            tensors[i] = Tensor.UnsafeCreateTensor((nint)stack[i]);
        }

        return tensors;
    }

    /// <summary>Calls an operator that gives a list of tensors.</summary>
    internal Tensor[] List(params ReadOnlySpan<Slot> arguments)
    {
        ulong* stack = stackalloc ulong[Math.Max(arguments.Length, LeastStack)];
        Call(arguments, stack);
        nint list = (nint)stack[0];
        nuint count;
        Dispatcher.Check(Dispatcher.torch_list_size(list, &count), name);
        var tensors = new Tensor[count];
        for (nuint i = 0; i < count; i++)
        {
            ulong item;
            Dispatcher.Check(Dispatcher.torch_list_get_item(list, i, &item), name);
            tensors[i] = Tensor.UnsafeCreateTensor((nint)item);
        }

        Dispatcher.Check(Dispatcher.torch_delete_list(list), name);
        return tensors;
    }

    /// <summary>Calls an operator that gives nothing.</summary>
    internal void Do(params ReadOnlySpan<Slot> arguments)
    {
        ulong* stack = stackalloc ulong[Math.Max(arguments.Length, LeastStack)];
        Call(arguments, stack);
    }

    private void Call(ReadOnlySpan<Slot> arguments, ulong* stack)
    {
        for (int i = 0; i < arguments.Length; i++)
        {
            stack[i] = arguments[i].Bits;
        }

        Dispatcher.Check(Dispatcher.torch_call_dispatcher(_name, _overload, stack, Version.Value), name);
    }
}
