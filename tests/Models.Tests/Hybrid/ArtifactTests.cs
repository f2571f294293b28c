using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Models;
using Hearth.Models.Hybrid;
using Hearth.Models.Hybrid.Artifact;
using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Hybrid;

/// <summary>The 6-bit quantiser, the container, the rate controller, and a file of an independent implementation.</summary>
public sealed class ArtifactTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public ArtifactTests() => manual_seed(31);

    private static string Case => Path.Combine(AppContext.BaseDirectory, "cases", "artifacts", "hybrid-artifact");

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void A_file_of_an_independent_implementation_decodes_to_its_tensors_and_ours_says_the_same()
    {
        using var stream = File.OpenRead(Case + ".hyb6");
        using var expected = SafetensorsReader.Open(Case + ".safetensors");
        var artifact = Hyb6File.Read(stream);

        Assert.Equal(1.25, artifact.Kappa);
        foreach (var entry in artifact.Layout.Entries)
        {
            Assert.Equal(expected.Read($"decoded.{entry.Name}").HostArray<float>(), artifact.Decode(entry));
        }

        var packed = new ArtifactEncoder(artifact.Plan, name => expected.Read($"w.{name}")).Pack(1.25);
        var ours = Hyb6File.Read(new MemoryStream(packed.File));
        Assert.Equal(artifact.Body, ours.Body);
        Assert.True(JsonNode.DeepEquals(Header(File.ReadAllBytes(Case + ".hyb6")), Header(packed.File)));
    }

    [Fact]
    public void Hybrid_check_8_every_element_is_within_the_stated_bound_and_requantises_to_its_code()
    {
        var (plan, model) = Model();
        var artifact = Read(new ArtifactEncoder(plan, model.Weight).Pack(1.3));
        foreach (var entry in artifact.Layout.Entries)
        {
            float[] w = model.Weight(entry.Name).HostArray<float>(), decoded = artifact.Decode(entry);
            if (!entry.IsInt6)
            {
                Assert.Equal(w.Select(x => (float)(Half)x), decoded);
                continue;
            }

            int columns = w.Length / entry.Rows;
            sbyte[] codes = artifact.Codes(entry).ToArray();
            Assert.InRange(codes.Min(), -32, 31);
            Assert.InRange(codes.Max(), -32, 31);
            float[] scales = Scales(artifact, entry), clips = Clips(w, entry.Rows);
            for (int i = 0; i < w.Length; i++)
            {
                float s = scales[i / columns], c = clips[i / columns];
                double bound = Math.Abs(w[i]) <= c ? s / 2 : Math.Abs(w[i]) - c + (s / 2);
                Assert.True(Math.Abs(w[i] - decoded[i]) <= bound * (1 + 1e-5), $"{entry.Name}[{i}]");
            }

            var again = Int6.Codes(tensor(decoded, entry.Rows, columns), full([entry.Rows], 1e9), tensor(scales).to(float16));
            Assert.Equal(codes.Select(q => (int)q), again.to(ScalarType.Int32).HostArray<int>());
        }
    }

    [Fact]
    public void Hybrid_check_9_quantised_training_computes_with_the_decoded_export_bit_for_bit()
    {
        var weight = empty([48, 40]).normal_(0, 0.5);
        var clip = weight.abs().amax([1]);
        foreach (double kappa in (double[])[1, 1.25, 3])
        {
            var (codes, scales) = Int6.Encode(weight, clip, kappa);
            var leaf = weight.clone().requires_grad_();
            var used = Int6.StraightThrough(leaf, kappa);

            Assert.Equal(Int6.Decode(codes, scales).HostArray<float>(), used.HostArray<float>());
            var slope = empty([48, 40]).normal_();
            (used * slope).sum().backward();
            Assert.Equal(slope.HostArray<float>(), leaf.grad!.HostArray<float>());
        }
    }

    [Fact]
    public void Hybrid_check_10_two_writes_are_one_file_and_the_loaded_model_is_the_quantised_one()
    {
        var (plan, model) = Model();
        var encoder = new ArtifactEncoder(plan, model.Weight);
        var packed = encoder.Pack(1.5);
        var artifact = Read(packed);
        Assert.Equal(packed.File, new ArtifactEncoder(plan, model.Weight).Pack(1.5).File);
        Assert.Equal(artifact.Body, Read(packed).Body);

        var (quantised, loaded) = (plan.Build(ScalarType.Float32, CPU, 5), artifact.Plan.Build(ScalarType.Float32, CPU, 6));
        using var quiet = no_grad();
        foreach (var entry in artifact.Layout.Entries)
        {
            loaded.Weight(entry.Name).copy_(tensor(artifact.Decode(entry), [.. entry.Shape]));
            var weight = model.Weight(entry.Name);
            quantised.Weight(entry.Name).copy_(weight.to(float16));
            if (entry.IsInt6)
            {
                var scales = tensor(Scales(artifact, entry)).to(float16);
                quantised.Weight(entry.Name).copy_(Int6.Decode(Int6.Codes(weight, tensor(Clips(weight.HostArray<float>(), entry.Rows)), scales), scales));
            }
        }

        var ids = Small.Ids(2, 30, 256);
        Assert.Equal(0.0, Small.Difference(quantised.Logits(ids), loaded.Logits(ids)));
    }

    [Fact]
    public void Hybrid_check_10_the_limit_itself_is_refused_and_a_byte_less_passes()
    {
        var (plan, model) = Model();
        var encoder = new ArtifactEncoder(plan, model.Weight);
        int file = encoder.Pack(1).File.Length;

        Assert.Equal(15_999_999, encoder.Pack(1, 15_999_999 - file).Total);
        var error = Assert.Throws<ArtifactException>(() => encoder.Pack(1, 16_000_000 - file));
        Assert.Contains("16000000 bytes. Allowed: less than 16000000", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Hybrid_check_10_the_controllers_kappa_fits_and_the_one_before_does_not()
    {
        var (plan, model) = Model();
        var encoder = new ArtifactEncoder(plan, model.Weight);
        int room = 15_900_000 - encoder.Pack(1.4).File.Length - 1;

        var packed = encoder.Fit(room);

        Assert.InRange(packed.Kappa, 1.05, 1.4);
        Assert.True(packed.Total < 15_900_000);
        Assert.True(encoder.Pack(packed.Kappa - 0.05, room).Total >= 15_900_000);
        Assert.Contains("kappa 8", Assert.Throws<ArtifactException>(() => encoder.Fit(15_900_000)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(float.NaN, "not finite")]
    [InlineData(float.PositiveInfinity, "not finite")]
    [InlineData(1e6f, "beyond fp16")]
    public void A_value_that_the_file_cannot_hold_is_refused_by_tensor(float bad, string words)
    {
        var (plan, model) = Model();
        using (no_grad())
        {
            model.Weight("smear.gate").fill_(bad);
        }

        var error = Assert.Throws<ArtifactException>(() => new ArtifactEncoder(plan, model.Weight).Pack(1));
        Assert.StartsWith("smear.gate", error.Message, StringComparison.Ordinal);
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"format\":1", "\"format\":2", "format is 2. Allowed: 1.")]
    [InlineData("\"family\":\"hybrid\"", "\"family\":\"hybrix\"", "family is \"hybrix\". Allowed: hybrid.")]
    [InlineData("\"kappa\":1", "\"kappa\":0.5", "kappa is 0.5. Allowed: 1 to 8.")]
    [InlineData("\"d\":64", "\"d\":63", "model.n_head 4 does not divide model.d_model 63.")]
    [InlineData("\"layers\":5", "\"layers\":400,\"x\":1", "config.x is unknown.")]
    [InlineData("\"vocab\":256,", "", "config.vocab is missing.")]
    [InlineData("\"d\":64", "\"d\":65536", "config: a body of")]
    [InlineData("\"layers\":5", "\"layers\":6", "tensors is ")]
    [InlineData("\"offset\":0,", "\"offset\":8,", "tok_emb: offset is 8. Allowed: 0.")]
    [InlineData("\"shape\":[256,64]", "\"shape\":[256,65]", "tok_emb: shape is [256,65]. Allowed: [256,64].")]
    [InlineData("\"type\":\"int6\"", "\"type\":\"int8\"", "tok_emb: type is \"int8\".")]
    [InlineData("{\"format\"", "[\"format\"", "The header is no JSON")]
    public void A_wrong_header_is_refused_by_field_or_tensor(string part, string instead, string message)
    {
        byte[] file = Packed();
        int length = (int)BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(4));
        string text = Encoding.UTF8.GetString(file, 8, length);
        int at = text.IndexOf(part, StringComparison.Ordinal);
        Assert.True(at >= 0, part);
        byte[] header = Encoding.UTF8.GetBytes(text[..at] + instead + text[(at + part.Length)..]);
        byte[] size = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(size, (uint)header.Length);

        var error = Assert.Throws<ArtifactException>(() => Hyb6File.Read(new MemoryStream([.. file[..4], .. size, .. header, .. file[(8 + length)..]])));

        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_cut_off_or_changed_anywhere_is_refused()
    {
        byte[] file = Packed();
        int body = 8 + (int)BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(4));
        foreach (int length in (int[])[0, 3, 7, 8, 500, body - 1, body, body + 1, body + 1000, file.Length - 5])
        {
            Assert.Throws<ArtifactException>(() => Hyb6File.Read(new MemoryStream(file[..length])));
        }

        var cut = Assert.Throws<ArtifactException>(() => Hyb6File.Read(new MemoryStream(file[..(body + 1000)])));
        Assert.Contains("tok_emb", cut.Message, StringComparison.Ordinal);
        Assert.Contains("checksum", Assert.Throws<ArtifactException>(() => Hyb6File.Read(new MemoryStream([.. file, 0]))).Message, StringComparison.Ordinal);
        byte[] huge = [.. file];
        BinaryPrimitives.WriteUInt32LittleEndian(huge.AsSpan(4), uint.MaxValue);
        Assert.Contains("4294967295", Assert.Throws<ArtifactException>(() => Hyb6File.Read(new MemoryStream(huge))).Message, StringComparison.Ordinal);
        byte[] flipped = [.. file];
        flipped[body + ((file.Length - body) / 2)] ^= 0x10;
        Assert.Throws<ArtifactException>(() => Hyb6File.Read(new MemoryStream(flipped)));
    }

    [Fact]
    public void A_body_longer_than_its_tensors_is_refused_and_any_zlib_stream_is_read()
    {
        byte[] file = Packed();
        int start = 8 + (int)BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(4));
        byte[] body = Hyb6File.Read(new MemoryStream(file)).Body;
        byte[] With(byte[] inflated)
        {
            using var rest = new MemoryStream();
            using (var zlib = new ZLibStream(rest, CompressionLevel.Fastest, leaveOpen: true))
            {
                zlib.Write(inflated);
            }

            return [.. file[..start], .. rest.ToArray()];
        }

        Assert.Equal(body, Hyb6File.Read(new MemoryStream(With(body))).Body);
        Assert.Contains("longer", Assert.Throws<ArtifactException>(() => Hyb6File.Read(new MemoryStream(With([.. body, 0])))).Message, StringComparison.Ordinal);
    }

    private static byte[] Packed()
    {
        var (plan, model) = Model();
        return new ArtifactEncoder(plan, model.Weight).Pack(1).File;
    }

    private static Hyb6 Read(PackedArtifact packed) => Hyb6File.Read(new MemoryStream(packed.File));

    private static float[] Scales(Hyb6 artifact, Hyb6Entry entry) =>
        [.. Enumerable.Range(0, entry.Rows).Select(r => (float)BinaryPrimitives.ReadHalfLittleEndian(artifact.Body.AsSpan(entry.ScaleOffset!.Value + (2 * r))))];

    // The 0.9999984-quantile of each row's magnitudes, as the page states it.
    private static float[] Clips(float[] values, int rows)
    {
        int columns = values.Length / rows;
        double place = 0.9999984 * (columns - 1);
        int below = (int)Math.Floor(place);
        return [.. values.Chunk(columns).Select(row =>
        {
            double[] sorted = [.. row.Select(x => (double)Math.Abs(x)).Order()];
            return (float)(sorted[below] + ((place - below) * (sorted[Math.Min(below + 1, columns - 1)] - sorted[below])));
        })];
    }

    private static JsonNode Header(byte[] file) => JsonNode.Parse(file.AsSpan(8, (int)BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(4))))!;

    // Every tensor drawn, so that codes use the whole range.
    private static (HybridPlan Plan, LanguageModel Model) Model()
    {
        var plan = (HybridPlan)Families.Plan(Small.Model(JsonSerializer.SerializeToElement(new { }), family: "hybrid"), [])!;
        var model = plan.Build(ScalarType.Float32, CPU, 1);
        using var quiet = no_grad();
        foreach (var weight in model.Parameters)
        {
            weight.normal_(0, 0.25);
        }

        return (plan, model);
    }
}
