using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>The 8-bit step against scalar arithmetic in the same type and order: every bit is given, codes and random rounding too.</summary>
public sealed class AdamW8Tests
{
    private const int Block = 256;
    private const double Limit = 10;
    private static readonly AdamWStep Rule = new(Lr: 1e-2, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, Step: 1, Scale: 0.5);

    [Theory]
    [InlineData(ScalarType.Float32, 0)]
    [InlineData(ScalarType.Float32, 0.2)]
    [InlineData(ScalarType.Float64, 0)]
    [InlineData(ScalarType.Float64, 0.2)]
    [InlineData(ScalarType.BFloat16, 0)]
    [InlineData(ScalarType.BFloat16, 0.2)]
    public void Steps_equal_the_definition_to_the_bit(ScalarType type, double couple)
    {
        using var scope = NewDisposeScope();
        var rule = Rule with { WeightDecay = couple == 0 ? 0.1 : 0, CoupledDecay = couple };
        foreach (long count in new long[] { 1, 255, 257, 20_003 })
        {
            var (a, b) = (new Parameters(count, type), new Parameters(count, type));
            for (int step = 1; step <= 3; step++)
            {
                var grad = (KernelCheck.Normal(step, ScalarType.Float32, count) * Math.Pow(10, -step)).to(type);
                grad[0] = step == 2 ? double.NaN : 0.25;
                long key = 0x123456789ABCDEL * step;

                Assert.True(FusedKernels.AdamW8(a.With(grad, key), rule with { Step = step }, Limit));
                if (type == ScalarType.Float64)
                {
                    Naive<double>(b, grad, rule with { Step = step }, key);
                }
                else
                {
                    Naive<float>(b, grad, rule with { Step = step }, key);
                }

                foreach (var (found, expected) in a.All.Zip(b.All))
                {
                    Assert.Equal(expected.bytes.ToArray(), found.bytes.ToArray());
                }
            }
        }
    }

    [Fact]
    public void The_bits_do_not_depend_on_the_number_of_threads()
    {
        using var scope = NewDisposeScope();
        int threads = get_num_threads();
        try
        {
            byte[][] bits = [.. new[] { 1, 2, 1 }.Select(count =>
            {
                set_num_threads(count);
                var p = new Parameters(100_003, ScalarType.BFloat16);
                FusedKernels.AdamW8(p.With(KernelCheck.Normal(1, ScalarType.BFloat16, 100_003), 99), Rule, Limit);
                return p.Weight.bytes.ToArray();
            })];

            Assert.Equal(bits[0], bits[1]);
            Assert.Equal(bits[0], bits[2]);
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    [Fact]
    public void Random_rounding_is_right_on_average()
    {
        using var scope = NewDisposeScope();
        const int count = 65_536;
        var p = new Parameters(count, ScalarType.BFloat16);
        p.Weight.fill_(1.0);

        // A first step is lr·g/|g|: 1 − 0.001, while a last bit of bf16 below 1 is 2^-8.
        FusedKernels.AdamW8(p.With(ones([count], ScalarType.BFloat16), 7), Rule with { Lr = 1e-3, WeightDecay = 0, Scale = 1 }, Limit);

        // A share of 0.256 rounds down; its deviation over 65,536 draws is 0.0017.
        double down = p.Weight.to(ScalarType.Float64).lt(1).sum().item<long>() / (double)count;
        Assert.InRange(down, 0.256 - (5 * 0.0017), 0.256 + (5 * 0.0017));
    }

    [Fact]
    public void A_map_of_another_type_and_scales_of_another_number_are_refused()
    {
        using var scope = NewDisposeScope();
        var p = new Parameters(300, ScalarType.Float32);
        var all = p.With(ones([300]), 1);
        var short_ = all with { First = all.First with { Scales = [ones([1])] } };
        var wide = all with { Second = all.Second with { Map = [.. all.Second.Map.Select(m => m.to(ScalarType.Float64))] } };

        var scales = Assert.Throws<KernelException>(() => FusedKernels.AdamW8(short_, Rule, Limit));
        var map = Assert.Throws<KernelException>(() => FusedKernels.AdamW8(wide, Rule, Limit));

        Assert.Contains("first.scales[0] has 1 elements", scales.Message, StringComparison.Ordinal);
        Assert.Contains("second.map[0] has 256 elements of Float64", map.Message, StringComparison.Ordinal);
    }

    private static unsafe void Naive<T>(Parameters p, Tensor grad, AdamWStep step, long key)
        where T : unmanaged, System.Numerics.IFloatingPointIeee754<T>
    {
        var wide = p.FirstMap[0].dtype;
        T[] w = p.Weight.to(wide).data<T>().ToArray(), g = grad.to(wide).data<T>().ToArray();
        T Of(double x) => T.CreateTruncating(x);
        T c1 = Of(1 - Math.Pow(step.Beta1, step.Step)), c2 = Of(1 - Math.Pow(step.Beta2, step.Step));
        T[] m = Decoded<T>(p.First, p.FirstMap), v = Decoded<T>(p.Second, p.SecondMap), next = new T[w.Length];
        for (int i = 0; i < w.Length; i++)
        {
            T gi = g[i] * Of(step.Scale);
            gi = step.CoupledDecay != 0 ? gi + (w[i] * Of(step.CoupledDecay)) : gi;
            if (!T.IsFinite(gi))
            {
                (m[i], v[i], next[i]) = (T.Zero, T.Zero, w[i]);
                continue;
            }

            m[i] = (m[i] * Of(step.Beta1)) + (gi * Of(1 - step.Beta1));
            v[i] = (v[i] * Of(step.Beta2)) + (gi * gi * Of(1 - step.Beta2));
            T move = T.Clamp(m[i] / c1 / (T.Sqrt(v[i] / c2) + Of(step.Eps)), -Of(Limit), Of(Limit));
            next[i] = (w[i] * Of(1 - (step.Lr * step.WeightDecay))) - (move * Of(step.Lr));
            next[i] = p.Weight.dtype == ScalarType.BFloat16 ? T.CreateTruncating(Rounded(float.CreateTruncating(next[i]), i, key)) : next[i];
        }

        p.Weight.copy_(tensor(next.Select(x => double.CreateTruncating(x)).ToArray(), [next.Length]));
        Encode(p.First, p.FirstMap, m);
        Encode(p.Second, p.SecondMap, v);
    }

    private static float Rounded(float value, int index, long key)
    {
        static uint Mixed(uint x)
        {
            x = (x ^ (x >> 16)) * 0x85EBCA6B;
            x = (x ^ (x >> 13)) * 0xC2B2AE35;
            return x ^ (x >> 16);
        }

        uint bits = BitConverter.SingleToUInt32Bits(value) + (Mixed(Mixed((uint)index ^ (uint)key) + (uint)(key >> 32)) >> 16);
        return BitConverter.UInt32BitsToSingle(bits & 0xFFFF0000);
    }

    private static T[] Decoded<T>((Tensor Codes, Tensor Scales) moment, Tensor[] map)
        where T : unmanaged, System.Numerics.IFloatingPointIeee754<T>
    {
        byte[] codes = moment.Codes.data<byte>().ToArray();
        float[] scales = moment.Scales.data<float>().ToArray();
        T[] values = map[0].data<T>().ToArray();
        return [.. codes.Select((code, i) => values[code] * T.CreateTruncating(scales[i / Block]))];
    }

    private static void Encode<T>((Tensor Codes, Tensor Scales) moment, Tensor[] map, T[] values)
        where T : unmanaged, System.Numerics.IFloatingPointIeee754<T>
    {
        T[] middles = map[1].data<T>().ToArray();
        float[] scales = [.. values.Chunk(Block).Select(block => float.CreateTruncating(block.Max(T.Abs))).Select(scale => scale == 0 ? 1 : scale)];
        byte[] codes = [.. values.Select((x, i) => (byte)middles.Count(middle => middle < x / T.CreateTruncating(scales[i / Block])))];
        moment.Codes.copy_(tensor(codes, [codes.Length]));
        moment.Scales.copy_(tensor(scales, [scales.Length]));
    }

    private sealed class Parameters(long count, ScalarType type)
    {
        internal Tensor Weight { get; } = KernelCheck.Normal(9, ScalarType.Float32, count).to(type);

        internal (Tensor Codes, Tensor Scales) First { get; } = Zero(count, Values(signed: true));

        internal (Tensor Codes, Tensor Scales) Second { get; } = Zero(count, Values(signed: false));

        internal Tensor[] FirstMap { get; } = Map(Values(signed: true), type);

        internal Tensor[] SecondMap { get; } = Map(Values(signed: false), type);

        internal Tensor[] All => [Weight, First.Codes, First.Scales, Second.Codes, Second.Scales];

        internal CodedParameters With(Tensor grad, long key) => new(
            [Weight], [grad], new([First.Codes], [First.Scales], FirstMap), new([Second.Codes], [Second.Scales], SecondMap), [key]);

        // 256 values, finer towards 0; cubes, so that no two neighbours stand at the same distance.
        private static double[] Values(bool signed) =>
            [.. Enumerable.Range(0, Block).Select(i => signed ? Math.Pow((i - 127) / 128.0, 3) : Math.Pow(i / 255.0, 3))];

        private static (Tensor Codes, Tensor Scales) Zero(long count, double[] values) =>
            (full([count], Array.IndexOf(values, 0.0), ScalarType.Byte), ones([(count + Block - 1) / Block]));

        private static Tensor[] Map(double[] values, ScalarType type)
        {
            var wide = type == ScalarType.Float64 ? type : ScalarType.Float32;
            double[] middles = [.. values.Zip(values.Skip(1), (low, high) => (low + high) / 2)];
            return [tensor(values, [Block]).to(wide), tensor(middles, [Block - 1]).to(wide)];
        }
    }
}
