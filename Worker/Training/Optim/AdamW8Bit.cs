using Hearth.Models;
using Hearth.Runs;
using Hearth.Kernels;
using static TorchSharp.torch;

// N elements of a parameter, K blocks of 256.
namespace Hearth.Training.Optim;

/// <summary>AdamW whose moments are 8-bit codes where <see cref="EightBitMoments.Hold"/> says so, and full elsewhere.</summary>
/// <param name="model">Whose parameters to update.</param>
/// <param name="spec">Rates, betas, epsilon and decay, and whether embeddings are coded.</param>
/// <param name="naive">Plain operators per tensor: the truth that the fused step is tested against.</param>
public sealed class AdamW8Bit(LanguageModel model, OptimizerSpec spec, bool naive = false)
    : Optimizer(model, new AdamW8BitRule(Slices(model, spec, true), spec, naive), new AdamWRule(Slices(model, spec, false), spec, naive))
{
    private static IReadOnlyList<Slice> Slices(LanguageModel model, OptimizerSpec spec, bool coded) =>
        [.. model.Plan.Tensors.Where(t => EightBitMoments.Hold(t.Parameter, spec) == coded).Select(t => Slice.Whole(model, t, spec))];
}

/// <summary>
/// AdamW with block-wise dynamically quantised moments (Dettmers et al., arXiv 2110.02861): decoded, updated, used in full, and
/// coded again by the block's new largest value. State: codes <c>m.NAME</c>, <c>v.NAME</c> [N] and scales <c>m_absmax.NAME</c>,
/// <c>v_absmax.NAME</c> [K] in fp32.
/// </summary>
internal sealed class AdamW8BitRule : UpdateRule
{
    // A second moment below its block's floor is coded as 0 and leaves the step to ε alone.
    private const double LargestStep = 10;

    private readonly OptimizerSpec _spec;
    private readonly bool _naive;
    private readonly Slot[] _slots;

    public AdamW8BitRule(IReadOnlyList<Slice> slices, OptimizerSpec spec, bool naive)
    {
        (_spec, _naive) = (spec, naive);
        _slots = [.. slices.Select(s => new Slot(s, new CodedMoment(s.Weight, DynamicMap.Signed), new CodedMoment(s.Weight, DynamicMap.Unsigned)))];
    }

    public override IReadOnlyList<(string Name, Tensor Value)> State =>
    [
        .. _slots.SelectMany(s => new[]
        {
            ($"m.{s.Slice.Spec.Name}", s.First.Codes_N),
            ($"v.{s.Slice.Spec.Name}", s.Second.Codes_N),
            ($"m_absmax.{s.Slice.Spec.Name}", s.First.Scale_K),
            ($"v_absmax.{s.Slice.Spec.Name}", s.Second.Scale_K),
        }),
    ];

    public override void Step(UpdateStep step)
    {
        bool coupled = _spec.AdamDecay == "coupled";
        long Key(int index) => SeedMix.Of(SeedMix.Of(step.Seed, RandomStream.Rounding, index), RandomStream.Rounding, step.Step);
        var live = _slots.Select((slot, index) => new Live(slot, slot.Slice.Grad!, Key(index))).Where(l => l.Grad is not null);
        foreach (var group in live.GroupBy(l => (l.Slot.Slice.Rate, l.Slot.Slice.Decay, l.Slot.Slice.Weight.dtype)))
        {
            double decay = group.Key.Decay;
            var adam = new AdamWStep(group.Key.Rate * step.Factor, _spec.Beta1, _spec.Beta2, _spec.Eps, coupled ? 0 : decay, step.Step, step.Scale)
            {
                CoupledDecay = coupled ? decay : 0,
            };
            Live[] members = [.. group];
            if (_naive || !FusedKernels.AdamW8(Together(members), adam, LargestStep))
            {
                foreach (var member in members)
                {
                    Update(member, adam);
                }
            }
        }
    }

    public override void Dispose()
    {
        foreach (var slot in _slots)
        {
            slot.Slice.Dispose();
            slot.First.Dispose();
            slot.Second.Dispose();
        }
    }

    private static CodedParameters Together(Live[] members) => new(
        [.. members.Select(m => m.Slot.Slice.Weight)],
        [.. members.Select(m => m.Grad)],
        Together([.. members.Select(m => m.Slot.First)]),
        Together([.. members.Select(m => m.Slot.Second)]),
        [.. members.Select(m => m.Key)]);

    private static CodedMoments Together(CodedMoment[] moments) =>
        new([.. moments.Select(m => m.Codes_N)], [.. moments.Select(m => m.Scale_K)], moments[0].Map);

    private static void Update(Live member, AdamWStep step)
    {
        using var scope = NewDisposeScope();
        var (slot, wide) = (member.Slot, member.Slot.First.Map[0].dtype);
        var weight_N = slot.Slice.Weight.detach().flatten().to(wide);
        var grad_N = member.Grad.flatten().to(wide) * step.Scale;
        if (step.CoupledDecay != 0)
        {
            grad_N = grad_N + (weight_N * step.CoupledDecay);
        }

        // An element whose gradient is not finite forgets its moments and keeps its weight.
        var finite_N = grad_N.isfinite();
        var lost_N = finite_N.eq(0);
        grad_N = grad_N.masked_fill(lost_N, 0);
        var m_N = ((slot.First.Decode() * step.Beta1) + (grad_N * (1 - step.Beta1))).masked_fill(lost_N, 0);
        var v_N = ((slot.Second.Decode() * step.Beta2) + (grad_N * grad_N * (1 - step.Beta2))).masked_fill(lost_N, 0);
        var first_N = m_N / (1 - Math.Pow(step.Beta1, step.Step));
        var second_N = v_N / (1 - Math.Pow(step.Beta2, step.Step));
        var direction_N = (first_N / (second_N.sqrt() + step.Eps)).clamp(-LargestStep, LargestStep);
        var next_N = (weight_N * (1 - (step.Lr * step.WeightDecay))) - (direction_N * step.Lr);
        next_N = where(finite_N, slot.Slice.Weight.dtype == bfloat16 ? RandomRounding.ToBfloat16(next_N, member.Key) : next_N, weight_N);
        slot.Slice.Weight.copy_(next_N.view(slot.Slice.Weight.shape));
        slot.First.Encode(m_N);
        slot.Second.Encode(v_N);
    }

    private sealed record Slot(Slice Slice, CodedMoment First, CodedMoment Second);

    private sealed record Live(Slot Slot, Tensor Grad, long Key);
}

/// <summary>
/// Rounding up or down at random in proportion to the distance (Gupta et al., arXiv 1502.02551), so that steps smaller than a last
/// bit of the weight add up. The random number is a hash of a key and the element's index: the same at every repetition.
/// </summary>
public static class RandomRounding
{
    /// <summary>fp32 values [N] as bf16 values, still in fp32.</summary>
    public static Tensor ToBfloat16(Tensor values_N, long key)
    {
        var index_N = arange(0, values_N.numel(), int64).to(values_N.device);
        var random_N = Hash.Mix(Hash.Mix(index_N.bitwise_xor(full([], key & 0xFFFFFFFFL, int64, values_N.device))) + (key >> 32));
        var bits_N = Operators.ViewAs(values_N, int32).to(int64) + Hash.Shifted(random_N, 16);
        var rounded_N = Operators.ViewAs((Hash.Shifted(bits_N, 16) * 0x10000).to(int32), float32);
        return where(values_N.isfinite(), rounded_N, values_N);
    }
}

/// <summary>One moment of one parameter as codes and scales; all 0 at first.</summary>
public sealed class CodedMoment : IDisposable
{
    private readonly Tensor _values;
    private readonly Tensor _middles;

    public CodedMoment(Tensor like, DynamicMap map)
    {
        using var scope = NewDisposeScope();
        (_values, _middles) = (Keep(map.Values, like), Keep(map.Middles, like));
        Codes_N = full([like.numel()], map.Zero, uint8, like.device).DetachFromDisposeScope();
        Scale_K = ones([EightBitMoments.Blocks(like.numel())], float32, like.device).DetachFromDisposeScope();
    }

    public Tensor Codes_N { get; }

    /// <summary>Largest absolute value of each block; 1 where all are 0.</summary>
    public Tensor Scale_K { get; }

    /// <summary>The map's values and the middles between them.</summary>
    internal Tensor[] Map => [_values, _middles];

    public Tensor Decode() => _values.index_select(0, Codes_N.to(int64)) * Spread();

    public void Encode(Tensor values_N)
    {
        long blocks = Scale_K.size(0), count = Codes_N.size(0), missing = (blocks * EightBitMoments.BlockSize) - count;
        var padded_N = missing == 0 ? values_N : cat([values_N, zeros([missing], values_N.dtype, values_N.device)]);
        var largest_K = padded_N.view(blocks, EightBitMoments.BlockSize).abs().amax([1]).to(float32);
        Scale_K.copy_(largest_K.masked_fill(largest_K.eq(0), 1));
        Codes_N.copy_((values_N / Spread()).bucketize(_middles).to(uint8));
    }

    public void Dispose()
    {
        _values.Dispose();
        _middles.Dispose();
        Codes_N.Dispose();
        Scale_K.Dispose();
    }

    private Tensor Spread()
    {
        long blocks = Scale_K.size(0);
        return Scale_K.to(_values.dtype).unsqueeze(1).expand(blocks, EightBitMoments.BlockSize).reshape(-1).narrow(0, 0, Codes_N.size(0));
    }

    private static Tensor Keep(IReadOnlyList<double> values, Tensor like) =>
        tensor(values.ToArray()).to(like.dtype == float64 ? float64 : float32).to(like.device).DetachFromDisposeScope();
}

/// <summary>
/// The 256 values of a dynamic data type: seven decades below 1, each nearer one cut finer (arXiv 2110.02861 §1.3), with 0 and 1.
/// </summary>
public sealed class DynamicMap
{
    private const int Decades = 7;

    private DynamicMap(bool signed)
    {
        var values = new List<double> { 0, 1 };
        for (int i = 0; i < Decades; i++)
        {
            int parts = 1 << (signed ? i : i + 1);
            for (int p = 0; p < parts; p++)
            {
                double middle = (0.1 + (0.9 * (p + 0.5) / parts)) * Math.Pow(10, i - Decades + 1);
                values.Add(middle);
                values.AddRange(signed ? [-middle] : []);
            }
        }

        Values = [.. values.Order()];
        Middles = [.. Values.Zip(Values.Skip(1), (low, high) => (low + high) / 2)];
        Zero = Values.ToList().IndexOf(0);
    }

    public static DynamicMap Signed { get; } = new(true);

    public static DynamicMap Unsigned { get; } = new(false);

    /// <summary>Ascending; the index is the code.</summary>
    public IReadOnlyList<double> Values { get; }

    /// <summary>Up to and with the middle of two values, the lower one is nearest.</summary>
    public IReadOnlyList<double> Middles { get; }

    /// <summary>The code of 0.</summary>
    public int Zero { get; }
}
