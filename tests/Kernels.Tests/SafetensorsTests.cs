using System.Text;
using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class SafetensorsTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"hearth-{Guid.NewGuid():N}.safetensors");

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void What_is_written_is_read_back_bit_for_bit()
    {
        using var scope = NewDisposeScope();
        manual_seed(5);
        var a = empty([3, 5], float64).normal_();
        var b = tensor([1, 2, 3]);
        using (var file = File.Create(_path))
        {
            SafetensorsWriter.Write(file, [("a.weight", a), ("b", b), ("none", zeros([0, 4]))], new Dictionary<string, string> { ["case"] = "{\"x\":1}" });
        }

        using var reader = SafetensorsReader.Open(_path);

        Assert.Equal(a.HostArray<double>(), reader.Read("a.weight").HostArray<double>());
        Assert.Equal([3L, 5L], reader.Read("a.weight").shape);
        Assert.Equal([1, 2, 3], reader.Read("b").HostArray<int>());
        Assert.Equal([0L, 4L], reader.Read("none").shape);
        Assert.Equal("{\"x\":1}", reader.Metadata["case"]);
    }

    [Theory]
    [InlineData("""{"w":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}""", "w has dtype F99")]
    [InlineData("""{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", "w of shape [2] and F32 does not fill its 4 bytes")]
    [InlineData("""{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,400]}}""", "w lies at 0..400")]
    [InlineData("""{"w":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}}""", "w lies at 8..4")]
    [InlineData("""{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", "the tensor w has the shape [-1]. Allowed: sizes of at least 0.")]
    [InlineData("""{"w":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807,8],"data_offsets":[0,4]}}""", "does not fill")]
    [InlineData("""{"v":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}""", "v and w overlap")]
    [InlineData("""{"w":{"shape":[1],"data_offsets":[0,4]}}""", "no valid safetensors JSON")]
    [InlineData("""{"w":""", "no valid safetensors JSON")]
    public void A_hostile_header_is_refused_by_name(string header, string words)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        File.WriteAllBytes(_path, [.. BitConverter.GetBytes((ulong)json.Length), .. json, .. new byte[8]]);

        var e = Assert.Throws<SafetensorsException>(() => SafetensorsReader.Open(_path));

        Assert.Contains(words, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_truncated_file_or_an_absurd_header_length_is_refused()
    {
        File.WriteAllBytes(_path, [1, 2, 3]);
        Assert.Contains("too few", Assert.Throws<SafetensorsException>(() => SafetensorsReader.Open(_path)).Message, StringComparison.Ordinal);

        File.WriteAllBytes(_path, [.. BitConverter.GetBytes(ulong.MaxValue), 0, 0]);
        Assert.Contains("header length", Assert.Throws<SafetensorsException>(() => SafetensorsReader.Open(_path)).Message, StringComparison.Ordinal);
    }
}
