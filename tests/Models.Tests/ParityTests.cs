using Hearth.Training.Parity;
using Xunit;

namespace Hearth.Tests;

public sealed class ParityTests
{
    public static TheoryData<string> Cases() =>
        [.. Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "cases"), "*.safetensors").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_case_of_an_independent_implementation_is_equal_in_fp64(string file) => Passes(file, "fp64");

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_case_of_an_independent_implementation_is_near_in_fp32(string file) => Passes(file, "fp32");

    private static void Passes(string file, string dtype)
    {
        using var log = new StringWriter();

        int code = ParityRunner.Run(Path.Combine(AppContext.BaseDirectory, "cases", file), dtype, "cpu", null, log);

        Assert.True(code == 0, log.ToString());
        Assert.Contains("logits", log.ToString(), StringComparison.Ordinal);
        Assert.Contains("greedy", log.ToString(), StringComparison.Ordinal);
    }
}
