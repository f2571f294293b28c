using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Hearth.Coordinator.Hosting;

/// <summary>The header under which a repeated submission is the same one.</summary>
internal static class IdempotencyKey
{
    internal const string Header = "Idempotency-Key";
    private const int Longest = 200;

    /// <summary>The key that was given, without the spaces around it; null = none.</summary>
    /// <param name="given">The header's value.</param>
    /// <param name="key">What it comes to.</param>
    /// <param name="refusal">Why it is refused.</param>
    internal static bool TryRead(string? given, out string? key, [NotNullWhen(false)] out ProblemHttpResult? refusal)
    {
        key = string.IsNullOrWhiteSpace(given) ? null : given.Trim();
        refusal = key?.Length > Longest ? Problems.Field(Header, key, $"at most {Longest} characters") : null;
        return refusal is null;
    }

    /// <summary>What is said where a key stands for something else.</summary>
    internal static ProblemHttpResult IsTaken(string? key, string of, string use) => Problems.Conflict($"The {Header} {key} was used for another {of}. Send a new key with a new {use}.");
}
