using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Torch;

/// <summary>
/// One operator of the dispatcher, called through the boxed door. Arguments follow the operator's schema; trailing ones that
/// are left out take the schema's defaults. Looked up at first use, so a missing operator fails where it is called.
/// </summary>
public sealed unsafe class Op(string name, string overload = "")
{
    private const int MaxResults = 8;
    private nint _handle;

    private nint Handle
    {
        get
        {
            if (_handle == 0)
            {
                nint found;
                Native.Check(Native.ht_op_find(name, overload, &found));
                _handle = found;
            }

            return _handle;
        }
    }

    /// <summary>True when this libtorch has the operator.</summary>
    public bool Exists
    {
        get
        {
            nint found;
            return _handle != 0 || Native.ht_op_find(name, overload, &found) == 0;
        }
    }

    /// <summary>Calls an operator with exactly one tensor as result.</summary>
    public Tensor One(params ReadOnlySpan<Arg> args)
    {
        Value* results = stackalloc Value[MaxResults];
        int count = Call(args, results);
        if (count != 1 || results[0].Tag != Tag.Tensor)
        {
            throw new TorchException($"{name} did not give one tensor");
        }

        return new Tensor(results[0].Data);
    }

    /// <summary>Calls an operator for its effect; results are freed.</summary>
    public void Do(params ReadOnlySpan<Arg> args)
    {
        Value* results = stackalloc Value[MaxResults];
        int count = Call(args, results);
        for (int i = 0; i < count; i++)
        {
            foreach (var tensor in Tensors(ref results[i]))
            {
                tensor.Dispose();
            }
        }
    }

    /// <summary>Calls an operator that gives several tensors, or a list of them.</summary>
    public Tensor[] Many(params ReadOnlySpan<Arg> args)
    {
        Value* results = stackalloc Value[MaxResults];
        int count = Call(args, results);
        var all = new List<Tensor>();
        for (int i = 0; i < count; i++)
        {
            all.AddRange(Tensors(ref results[i]));
        }

        return [.. all];
    }

    private static Tensor[] Tensors(ref Value value)
    {
        if (value.Tag == Tag.Tensor)
        {
            return [new Tensor(value.Data)];
        }

        if (value.Tag != Tag.Tensors)
        {
            return [];
        }

        var handles = new ReadOnlySpan<nint>((void*)value.Data, value.Count);
        var tensors = new Tensor[handles.Length];
        for (int i = 0; i < handles.Length; i++)
        {
            tensors[i] = new Tensor(handles[i]);
        }

        fixed (Value* pointer = &value)
        {
            Native.Check(Native.ht_free_list(pointer));
        }

        return tensors;
    }

    private int Call(ReadOnlySpan<Arg> args, Value* results)
    {
        Value* values = stackalloc Value[args.Length];
        Span<GCHandle> pins = stackalloc GCHandle[args.Length];
        int pinned = 0;
        try
        {
            for (int i = 0; i < args.Length; i++)
            {
                values[i] = new Value { Tag = args[i].Tag, Count = args[i].Count, Bits = args[i].Bits, Data = args[i].Handle };
                if (args[i].Array is { } array)
                {
                    pins[pinned] = GCHandle.Alloc(array, GCHandleType.Pinned);
                    values[i].Data = pins[pinned++].AddrOfPinnedObject();
                }
            }

            int written;
            Native.Check(Native.ht_op_call(Handle, values, args.Length, results, MaxResults, &written));
            foreach (ref readonly var arg in args)
            {
                GC.KeepAlive(arg.Owner);
            }

            return written;
        }
        finally
        {
            for (int i = 0; i < pinned; i++)
            {
                pins[i].Free();
            }
        }
    }
}

/// <summary>One argument of an operator; made by implicit conversion.</summary>
public readonly struct Arg
{
    internal Tag Tag { get; private init; }
    internal int Count { get; private init; }
    internal long Bits { get; private init; }
    internal nint Handle { get; private init; }
    internal object? Array { get; private init; }
    internal object? Owner { get; private init; }

    public static Arg None => default;

    public static implicit operator Arg(Tensor? tensor) =>
        tensor is null ? default : new Arg { Tag = Tag.Tensor, Handle = tensor.Handle, Owner = tensor };

    public static implicit operator Arg(long value) => new() { Tag = Tag.Int, Bits = value };

    public static implicit operator Arg(int value) => new() { Tag = Tag.Int, Bits = value };

    public static implicit operator Arg(long? value) => value is { } given ? given : default(Arg);

    public static implicit operator Arg(double value) => new() { Tag = Tag.Double, Bits = BitConverter.DoubleToInt64Bits(value) };

    public static implicit operator Arg(double? value) => value is { } given ? given : default(Arg);

    public static implicit operator Arg(bool value) => new() { Tag = Tag.Bool, Bits = value ? 1 : 0 };

    public static implicit operator Arg(ScalarType type) => new() { Tag = Tag.Int, Bits = (long)type };

    public static implicit operator Arg(ScalarType? type) => type is { } given ? given : default(Arg);

    public static implicit operator Arg(long[]? values) =>
        values is null ? default : new Arg { Tag = Tag.Ints, Count = values.Length, Array = values };

    public static implicit operator Arg(string text)
    {
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(text);
        return new Arg { Tag = Tag.String, Count = bytes.Length, Array = bytes };
    }

    public static implicit operator Arg(Device? device) => device is null ? default : (Arg)device.ToString();

    /// <summary>A number that the schema takes as Scalar: whole numbers stay whole, so that integer tensors keep their type.</summary>
    public static implicit operator Arg(Scalar scalar) => scalar.IsWhole ? (Arg)scalar.Whole : (Arg)scalar.Real;

    public static implicit operator Arg(Tensor?[] tensors)
    {
        var handles = new nint[tensors.Length];
        for (int i = 0; i < tensors.Length; i++)
        {
            handles[i] = tensors[i]?.Handle ?? 0;
        }

        return new Arg { Tag = Tag.Tensors, Count = handles.Length, Array = handles, Owner = tensors };
    }
}
