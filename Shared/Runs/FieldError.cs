namespace Hearth.Runs;

/// <summary>
/// One wrong field: the same words in the form, the CLI and the API. Whatever was given, it is short: what is too long is cut here, once, so that
/// no answer carries back megabytes of a mistake.
/// </summary>
/// <param name="Field">Dotted path, for example <c>data.seq_len</c>.</param>
/// <param name="Value">The value as it was given; empty when the field was missing.</param>
/// <param name="Allowed">What would be accepted, for example <c>16 to 4096</c>.</param>
/// <param name="Message">One sentence that names value, limit and what is allowed.</param>
public sealed record FieldError(string Field, string Value, string Allowed, string Message)
{
    private const int LongestName = 120;
    private const int LongestSentence = 1000;

    /// <summary>The usual sentence: what the field is, and what is allowed.</summary>
    /// <param name="field">Its path.</param>
    /// <param name="value">As it was given.</param>
    /// <param name="allowed">What would be accepted.</param>
    /// <param name="withoutValue">What a field without a value is.</param>
    public static FieldError Of(string field, string value, string allowed, string withoutValue = "missing") =>
        new(field, value, allowed, $"{field} is {(value.Length == 0 ? withoutValue : value)}. Allowed: {allowed}.");

    public string Field { get; init; } = Words.Shorten(Field, LongestName);
    public string Value { get; init; } = Words.Shorten(Value, LongestName);
    public string Allowed { get; init; } = Words.Shorten(Allowed, LongestSentence);
    public string Message { get; init; } = Words.Shorten(Message, LongestSentence);
}
