using System.Runtime.CompilerServices;
using Hearth.Kernels.Door;
using static TorchSharp.torch;

namespace Hearth.Kernels.Cuda;

/// <summary>One parameter of a kernel: a number, a tensor's address (0 for none), or a struct of either. It holds its tensors.</summary>
internal readonly struct LaunchArgument
{
    /// <summary>Eight-byte words of the largest parameter.</summary>
    internal const int Words = 8;

    private readonly Value _value;
    private readonly object? _held;

    private LaunchArgument(Value value, object? held = null) => (_value, _held) = (value, held);

    public static implicit operator LaunchArgument(Tensor? tensor)
    {
        Value value = default;
        value[0] = Address(tensor);
        return new(value, tensor);
    }

    public static implicit operator LaunchArgument(long number)
    {
        Value value = default;
        value[0] = (ulong)number;
        return new(value);
    }

    public static implicit operator LaunchArgument(int number)
    {
        Value value = default;
        value[0] = (uint)number;
        return new(value);
    }

    public static implicit operator LaunchArgument(float number) => BitConverter.SingleToInt32Bits(number);

    /// <summary>A struct of addresses, in the order of its fields.</summary>
    internal static LaunchArgument Addresses(params Tensor?[] tensors)
    {
        Value value = default;
        for (int i = 0; i < tensors.Length; i++)
        {
            value[i] = Address(tensors[i]);
        }

        return new(value, tensors);
    }

    /// <summary>A struct of fp32 numbers, in the order of its fields.</summary>
    internal static LaunchArgument Floats(params ReadOnlySpan<float> numbers)
    {
        Value value = default;
        for (int i = 0; i < numbers.Length; i++)
        {
            value[i / 2] |= (ulong)BitConverter.SingleToUInt32Bits(numbers[i]) << (i % 2 * 32);
        }

        return new(value);
    }

    internal void CopyTo(Span<ulong> words) => ((ReadOnlySpan<ulong>)_value).CopyTo(words);

    /// <summary>Called after the launch: until there nothing collects the tensors.</summary>
    internal void Keep() => GC.KeepAlive(_held);

    private static unsafe ulong Address(Tensor? tensor) => tensor is null || tensor.numel() == 0 ? 0 : (ulong)Memory.Pointer<byte>(tensor);

    [InlineArray(Words)]
    private struct Value
    {
        private ulong _first;
    }
}
