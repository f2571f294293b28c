using System.Collections.Immutable;
using System.Runtime.Intrinsics.X86;

namespace Hearth.Cli.Testing;

/// <summary>How one kind of processor is stood for on this one: what libtorch's kernels, MKL's products and .NET's vectors are held to.</summary>
/// <param name="Name">A word for lists.</param>
/// <param name="Environment">Variables of a test's process.</param>
internal sealed record InstructionSet(string Name, ImmutableDictionary<string, string> Environment);

/// <summary>
/// The instruction sets that the numerical suites must pass under. A bound that was read off one processor's products fails on
/// another's, so they take turns here instead of at a user's.
/// </summary>
internal static class InstructionSets
{
    /// <summary>Every one that a processor with AVX-512 can stand for; the others skip what they lack.</summary>
    internal static IReadOnlyList<InstructionSet> All { get; } =
    [
        Of("aten default", ("ATEN_CPU_CAPABILITY", "default")),
        Of("aten avx2", ("ATEN_CPU_CAPABILITY", "avx2")),
        Of("aten avx512", ("ATEN_CPU_CAPABILITY", "avx512")),
        Of("mkl sse4.2", ("MKL_ENABLE_INSTRUCTIONS", "SSE4_2")),
        Of("mkl avx2", ("MKL_ENABLE_INSTRUCTIONS", "AVX2")),
        Of("mkl avx512", ("MKL_ENABLE_INSTRUCTIONS", "AVX512")),
        Of("dotnet avx2", WithoutAvx512),
        Of("dotnet sse4.2", [.. WithoutAvx512, ("DOTNET_EnableAVX2", "0")]),
    ];

    /// <summary>One as another machine would have it: all three libraries held to AVX2, or, on a machine that has no more, to less.</summary>
    internal static InstructionSet Other(bool hasAvx512) => hasAvx512
        ? Of("as on avx2", [("ATEN_CPU_CAPABILITY", "avx2"), ("MKL_ENABLE_INSTRUCTIONS", "AVX2"), .. WithoutAvx512])
        : Of("as on sse4.2", [("ATEN_CPU_CAPABILITY", "default"), ("MKL_ENABLE_INSTRUCTIONS", "SSE4_2"), ("DOTNET_EnableAVX2", "0")]);

    /// <summary>As <see cref="Other(bool)"/> for this machine.</summary>
    internal static InstructionSet Other() => Other(Avx512F.IsSupported);

    /// <summary>Those of <see cref="All"/> that this machine can run.</summary>
    internal static IEnumerable<InstructionSet> Here() => All.Where(s => Avx512F.IsSupported || !s.Name.EndsWith("avx512", StringComparison.Ordinal));

    private static (string, string)[] WithoutAvx512 => [("DOTNET_EnableAVX512", "0"), ("DOTNET_EnableAVX512F", "0")];

    private static InstructionSet Of(string name, params (string Name, string Value)[] variables) =>
        new(name, variables.ToImmutableDictionary(v => v.Name, v => v.Value, StringComparer.Ordinal));
}
