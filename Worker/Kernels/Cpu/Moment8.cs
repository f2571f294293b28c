using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hearth.Kernels.Door;

namespace Hearth.Kernels.Cpu;

/// <summary>Where one coded moment of one parameter lies.</summary>
internal readonly unsafe struct Moment8<T>(CodedMoments moments, int index)
    where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>Neighbours that share a scale.</summary>
    internal const int Block = 256;

    private readonly byte* _codes = Memory.Pointer<byte>(moments.Codes[index]);
    private readonly float* _scales = Memory.Pointer<float>(moments.Scales[index]);
    private readonly T* _values = Memory.Pointer<T>(moments.Map[0]);
    private readonly T* _middles = Memory.Pointer<T>(moments.Map[1]);

    internal static long Blocks(long count) => (count + Block - 1) / Block;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void Decode(long block, int count, T* to)
    {
        byte* codes = _codes + (block * Block);
        T scale = T.CreateTruncating(_scales[block]);
        for (int i = 0; i < count; i++)
        {
            to[i] = _values[codes[i]] * scale;
        }
    }

    /// <summary>The nearest value's code, the lower one's at a tie, after division by the largest absolute value; the scale is that, or 1 where all are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void Encode(long block, int count, T* moved, T largest)
    {
        byte* codes = _codes + (block * Block);
        float scale = float.CreateTruncating(largest);
        _scales[block] = scale = scale == 0 ? 1 : scale;
        Divide(moved, count, T.CreateTruncating(scale));
        T* middles = _middles;
        for (int i = 0; i < count; i++)
        {
            // 255 middles: eight halvings without a branch, as which way they go is anybody's guess.
            T x = moved[i];
            nint code = Above(x, middles[127]) << 7;
            code += Above(x, middles[code + 63]) << 6;
            code += Above(x, middles[code + 31]) << 5;
            code += Above(x, middles[code + 15]) << 4;
            code += Above(x, middles[code + 7]) << 3;
            code += Above(x, middles[code + 3]) << 2;
            code += Above(x, middles[code + 1]) << 1;
            code += Above(x, middles[code]);
            codes[i] = (byte)code;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nint Above(T x, T middle) => Unsafe.BitCast<bool, byte>(middle < x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Divide(T* values, int count, T scale)
    {
        int i = 0;
        for (; i + Vector256<T>.Count <= count; i += Vector256<T>.Count)
        {
            (Vector256.Load(values + i) / Vector256.Create(scale)).Store(values + i);
        }

        for (; i < count; i++)
        {
            values[i] /= scale;
        }
    }
}
