using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Hearth.Kernels;
using static TorchSharp.torch;

// R rows, C columns.
namespace Hearth.Models.Hybrid.Artifact;

/// <summary>A written artifact.</summary>
/// <param name="Kappa">Factor on the grid step.</param>
/// <param name="File">All bytes.</param>
/// <param name="Total">File and inference code together.</param>
public sealed record PackedArtifact(double Kappa, byte[] File, long Total);

/// <summary>
/// Turns weights into artifacts. Row clips are the 0.9999984-quantile of magnitudes; the rate controller raises κ until file
/// and code fit in <see cref="ByteLimit"/> with headroom.
/// </summary>
public sealed class ArtifactEncoder
{
    public const int ByteLimit = 16_000_000;

    /// <summary>Bytes of inference code, counted once.</summary>
    public const int DefaultCodeBytes = 60_000;
    public const double LargestKappa = 8;
    private const int Headroom = 100_000;
    private const int KappaSteps = 140;
    private const double Quantile = 0.9999984;
    private readonly HybridPlan _plan;
    private readonly Hyb6Layout _layout;
    private readonly List<(Hyb6Entry Entry, Tensor Weight, Tensor? Clip_R)> _tensors = [];

    /// <param name="plan">The model.</param>
    /// <param name="weight">A tensor by name, fp32 on the CPU; must stay alive as long as the encoder.</param>
    /// <exception cref="ArtifactException">A value is not finite; names the tensor.</exception>
    public ArtifactEncoder(HybridPlan plan, Func<string, Tensor> weight)
    {
        _plan = plan;
        _layout = Hyb6Layout.Of(plan);
        foreach (var entry in _layout.Entries)
        {
            var value = weight(entry.Name).detach().to(float32);
            float[] values = value.HostArray<float>();
            if (!Array.TrueForAll(values, float.IsFinite))
            {
                throw new ArtifactException($"{entry.Name} has a value that is not finite.");
            }

            _tensors.Add((entry, value, entry.IsInt6 ? tensor(Clips(values, entry.Rows)) : null));
        }
    }

    /// <summary>The artifact at a given κ.</summary>
    /// <exception cref="ArtifactException">It does not fit, or a value is beyond fp16.</exception>
    public PackedArtifact Pack(double kappa, int codeBytes = DefaultCodeBytes)
    {
        var packed = Build(kappa, codeBytes);
        Refuse(packed.Total);
        return packed;
    }

    /// <summary>The artifact at the smallest κ = 1 + k/20, k = 0..140, that leaves the headroom.</summary>
    /// <exception cref="ArtifactException">None does.</exception>
    public PackedArtifact Fit(int codeBytes = DefaultCodeBytes)
    {
        PackedArtifact? packed = null;
        for (int k = 0; k <= KappaSteps; k++)
        {
            packed = Build(1 + (k / 20.0), codeBytes);
            if (packed.Total < ByteLimit - Headroom)
            {
                return packed;
            }
        }

        throw new ArtifactException($"Even at kappa {packed!.Kappa} file and code take {packed.Total} bytes. Allowed: less than {ByteLimit - Headroom}.");
    }

    /// <exception cref="ArtifactException">File and code take <see cref="ByteLimit"/> or more.</exception>
    public static void Refuse(long total)
    {
        if (total >= ByteLimit)
        {
            throw new ArtifactException($"File and code take {total} bytes. Allowed: less than {ByteLimit}.");
        }
    }

    private PackedArtifact Build(double kappa, int codeBytes)
    {
        byte[] body = new byte[_layout.Bytes];
        foreach (var (entry, weight, clip_R) in _tensors)
        {
            using var scope = NewDisposeScope();
            if (entry.ScaleOffset is { } scaleOffset)
            {
                var (codes_RC, scales_R) = Int6.Encode(weight, clip_R!, kappa);
                MemoryMarshal.AsBytes<sbyte>(codes_RC.HostArray<sbyte>()).CopyTo(body.AsSpan(entry.Offset));
                Halves(entry.Name, scales_R.to(float32).HostArray<float>(), body.AsSpan(scaleOffset));
            }
            else
            {
                Halves(entry.Name, weight.HostArray<float>(), body.AsSpan(entry.Offset));
            }
        }

        byte[] file = Hyb6File.Write(_plan, kappa, _layout, body);
        return new PackedArtifact(kappa, file, (long)file.Length + codeBytes);
    }

    private static void Halves(string name, float[] values, Span<byte> target)
    {
        for (int i = 0; i < values.Length; i++)
        {
            var half = (Half)values[i];
            if (!Half.IsFinite(half))
            {
                throw new ArtifactException($"{name} has {values[i]}, which is beyond fp16.");
            }

            BinaryPrimitives.WriteHalfLittleEndian(target[(2 * i)..], half);
        }
    }

    // Linear interpolation between the sorted magnitudes at 0.9999984·(n−1), in fp64, rounded to fp32.
    private static float[] Clips(float[] values, int rows)
    {
        int columns = values.Length / rows;
        float[] clips = new float[rows], row = new float[columns];
        double place = Quantile * (columns - 1);
        int below = (int)place, above = Math.Min(below + 1, columns - 1);
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < columns; c++)
            {
                row[c] = Math.Abs(values[(r * columns) + c]);
            }

            Array.Sort(row);
            clips[r] = (float)(row[below] + ((place - below) * ((double)row[above] - row[below])));
        }

        return clips;
    }
}
