using System.Text.Json;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests;

public sealed class LengthCurriculumTests
{
    private const string Text = "512:1000, 1024:3000, 2048:10000, 4096";

    [Theory]
    [InlineData("\"512:1000, 1024:3000, 2048:10000, 4096\"")]
    [InlineData("\" 512 : 1000,1024:3000,2048:10000,4096:-1 \"")]
    [InlineData("""[{"length":512,"until_step":1000},{"length":1024,"until_step":3000},{"length":2048,"until_step":10000},{"length":4096}]""")]
    [InlineData("""[{"length":512,"until_step":1000},{"length":1024,"until_step":3000},{"length":2048,"until_step":10000},{"length":4096,"until_step":-1}]""")]
    public void Text_and_list_are_the_same_curriculum_and_are_written_as_text(string json)
    {
        var read = JsonSerializer.Deserialize<LengthCurriculum>(json, Json.Wire)!;

        Assert.Equal([new(512, 1000), new(1024, 3000), new(2048, 10000), new LengthStage(4096, LengthCurriculum.Forever)], read.Stages);
        Assert.Equal($"\"{Text}\"", JsonSerializer.Serialize(read, Json.Wire));
        Assert.Equal(read, JsonSerializer.Deserialize<LengthCurriculum>($"\"{Text}\"", Json.Wire));
    }

    [Theory]
    [InlineData("\"\"")]
    [InlineData("[]")]
    public void Nothing_is_no_curriculum(string json) => Assert.Equal(LengthCurriculum.None, JsonSerializer.Deserialize<LengthCurriculum>(json, Json.Wire));

    [Fact]
    public void A_bare_length_is_one_stage_without_end() =>
        Assert.Equal([new LengthStage(64, LengthCurriculum.Forever)], JsonSerializer.Deserialize<LengthCurriculum>("64", Json.Wire)!.Stages);

    [Fact]
    public void The_last_length_replaces_seq_len()
    {
        var spec = Read($$$"""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d","seq_len":300},"train":{"batch_tokens":8192,"length_curriculum":"{{{Text}}}"}}""");

        Assert.Equal(4096, spec.Data.SeqLen);
        Assert.Equal(spec, Read(JsonSerializer.Serialize(spec, Json.Wire)) with { Model = spec.Model, Run = spec.Run });
    }

    private static RunSpec Read(string json)
    {
        using var document = JsonDocument.Parse(json);
        var result = RunSpecReader.Read(document.RootElement.Clone());
        Assert.Empty(result.Errors);
        return result.Spec!;
    }
}
