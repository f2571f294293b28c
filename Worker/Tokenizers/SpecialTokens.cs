namespace Hearth.Tokenizers;

/// <summary>Names and places of the reserved tokens: those of VUAF's tokenizers, and the slots of Positronic's.</summary>
public static class SpecialTokens
{
    public const string Unknown = "<unk>";
    public const string Pad = "<pad>";
    public const string Begin = "<bos>";
    public const string End = "<eos>";
    public const string User = "<|user|>";
    public const string Assistant = "<|assistant|>";
    public const string System = "<|system|>";
    public const string Turn = "<|turn|>";
    public const string Document = "<|doc|>";
    public const string MetaOpen = "<|meta|>";
    public const string MetaClose = "<|/meta|>";
    public const string ChatStart = "<|im_start|>";
    public const string ChatEnd = "<|im_end|>";
    public const string Think = "<think>";

    /// <summary>Category slots of a VUAF tokenizer, ids 11 to 42.</summary>
    public const int MaxCategories = 32;
    private const string CategoryOpen = "<|cat:";
    private const string CategoryClose = "|>";

    /// <summary>Ids 0 to 10 of a VUAF tokenizer, in their order.</summary>
    public static IReadOnlyList<string> Core { get; } = [Unknown, Pad, Begin, End, User, Assistant, System, Turn, Document, MetaOpen, MetaClose];

    /// <summary>Ids 0 to 3 of a length-max tokenizer, in their order.</summary>
    public static IReadOnlyList<string> LengthMaxCore { get; } = [Pad, Unknown, Begin, End];

    /// <summary>The named special slots of a length-max tokenizer, in their order after its pieces.</summary>
    public static IReadOnlyList<string> LengthMaxSlots { get; } =
    [
        ChatStart, ChatEnd, Think, "</think>", "<begin_solution>", "<end_solution>", "<tool_call>", "<tool_response>",
        System, User, Assistant, "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|endoftext|>",
    ];

    /// <summary>The token of a training category.</summary>
    public static string Category(string name) => CategoryOpen + name + CategoryClose;

    /// <summary>The name that a slot without a category has.</summary>
    public static string ReservedCategory(int slot) => $"_reserved_{slot}";

    /// <summary>The category that a token stands for; null when it is none.</summary>
    public static string? CategoryName(string token) =>
        token.StartsWith(CategoryOpen, StringComparison.Ordinal) && token.EndsWith(CategoryClose, StringComparison.Ordinal) && token.Length > CategoryOpen.Length + CategoryClose.Length
            ? token[CategoryOpen.Length..^CategoryClose.Length]
            : null;

    /// <summary>The tokens of all category slots: the names' in the order given, then reserved ones.</summary>
    /// <exception cref="ArgumentException">There are more names than slots, or two are equal; says which.</exception>
    public static IReadOnlyList<string> CategorySlots(IReadOnlyList<string> names, int slots = MaxCategories)
    {
        if (names.Count > slots || names.Distinct(StringComparer.Ordinal).Count() < names.Count || names.Any(n => n.Length == 0 || n.Contains(CategoryClose, StringComparison.Ordinal)))
        {
            throw new ArgumentException($"categories are {string.Join(", ", names)}. Allowed: at most {slots} different names, none empty or with {CategoryClose}.");
        }

        return [.. Enumerable.Range(0, slots).Select(i => Category(i < names.Count ? names[i] : ReservedCategory(i)))];
    }

    /// <summary>Whether a user-defined piece stands for structure and not for text.</summary>
    public static bool IsReserved(string piece) => Core.Contains(piece) || CategoryName(piece) is not null;
}
