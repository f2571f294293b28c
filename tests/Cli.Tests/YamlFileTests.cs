using Hearth.Cli;
using Xunit;

namespace Hearth.Tests;

public sealed class YamlFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a: 3e-3", """{"a":0.003}""")]
    [InlineData("a: 1000", """{"a":1000}""")]
    [InlineData("a: -0.5", """{"a":-0.5}""")]
    [InlineData("a: true\nb: ~\nc:", """{"a":true,"b":null,"c":null}""")]
    [InlineData("a: '1000'\nb: \"true\"", """{"a":"1000","b":"true"}""")]
    [InlineData("a: {b: [x, 1, no]}", """{"a":{"b":["x",1,"no"]}}""")]
    [InlineData("""{"a": {"b": 1}}""", """{"a":{"b":1}}""")]
    public void Plain_scalars_are_typed_and_quoted_ones_are_text(string yaml, string json) =>
        Assert.Equal(json, YamlFile.Read(_folder.File("run.yaml", yaml))!.ToJsonString());

    [Fact]
    public void A_file_that_is_no_yaml_is_refused_with_line_and_column()
    {
        string path = _folder.File("run.yaml", "name: a\nmodel: {family: qovaryx\n");

        var e = Assert.Throws<InvalidDataException>(() => YamlFile.Read(path));

        Assert.StartsWith($"{path}, line 3", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Aliases_that_stand_for_billions_of_values_are_refused_by_what_is_allowed()
    {
        string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + string.Concat(Enumerable.Range(1, 8).Select(i => $"a{i}: &a{i} [{string.Join(',', Enumerable.Repeat($"*a{i - 1}", 9))}]\n"));

        var e = Assert.Throws<InvalidDataException>(() => YamlFile.Read(_folder.File("bomb.yaml", bomb)));

        Assert.Contains("more values than 10,000", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_documents_in_one_file_are_refused() =>
        Assert.Contains("has 2 documents. Allowed: one.", Assert.Throws<InvalidDataException>(() => YamlFile.Read(_folder.File("run.yaml", "a: 1\n---\nb: 2\n"))).Message, StringComparison.Ordinal);
}
