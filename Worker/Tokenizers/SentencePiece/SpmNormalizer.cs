using System.Text;

namespace Hearth.Tokenizers;

/// <summary>Changes text as a model's <c>normalizer_spec</c> says; user-defined symbols stay as they are.</summary>
internal sealed class SpmNormalizer(SpmNormalizerSpec spec, SymbolMatcher symbols, bool whitespaceAsSuffix)
{
    private static ReadOnlySpan<byte> Space => "\u2581"u8;
    private static ReadOnlySpan<byte> Replacement => "\uFFFD"u8;
    private const int Often = 1 << 16;
    private readonly CharsMap _map = new(spec.PrecompiledCharsmap);

    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    internal string Normalize(string text, LongStep step = default)
    {
        ReadOnlySpan<byte> input = Encoding.UTF8.GetBytes(text);
        int whole = input.Length;
        if (spec.RemoveExtraWhitespaces)
        {
            while (input.Length > 0 && Prefix(input, out int taken) is [(byte)' '])
            {
                input = input[taken..];
            }
        }

        if (input.Length == 0)
        {
            return "";
        }

        var output = new ByteBuffer(input.Length + (input.Length / 2) + 8);
        if (spec.AddDummyPrefix && !whitespaceAsSuffix)
        {
            AddSpace(output);
        }

        bool afterSpace = spec.RemoveExtraWhitespaces;
        for (int prefixes = 0; input.Length > 0; prefixes++)
        {
            if (prefixes % Often == 0)
            {
                step.At(1 - (input.Length / (double)whole));
            }

            var next = Prefix(input, out int taken);
            input = input[taken..];
            while (afterSpace && next is [(byte)' ', ..])
            {
                next = next[1..];
            }

            if (next.Length > 0)
            {
                Add(output, next);
                afterSpace = spec.RemoveExtraWhitespaces && next[^1] == ' ';
            }
        }

        if (spec.RemoveExtraWhitespaces)
        {
            output.TrimEnd(spec.EscapeWhitespaces ? Space : " "u8);
        }

        if (spec.AddDummyPrefix && whitespaceAsSuffix)
        {
            AddSpace(output);
        }

        return Encoding.UTF8.GetString(output.Written);
    }

    // What the start of the input becomes, and how many bytes of it that was.
    private ReadOnlySpan<byte> Prefix(ReadOnlySpan<byte> input, out int taken)
    {
        taken = symbols.Longest(input);
        if (taken > 0)
        {
            return input[..taken];
        }

        taken = _map.Longest(input, out var replacement);
        if (taken > 0)
        {
            return replacement;
        }

        if (input[0] < 0x80)
        {
            taken = 1;
            return input[..1];
        }

        bool valid = Rune.DecodeFromUtf8(input, out _, out int length) == System.Buffers.OperationStatus.Done;
        taken = valid ? length : 1;
        return valid ? input[..length] : Replacement;
    }

    private void Add(ByteBuffer output, ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
        {
            if (b == ' ')
            {
                AddSpace(output);
            }
            else
            {
                output.Add(b);
            }
        }
    }

    private void AddSpace(ByteBuffer output) => output.Add(spec.EscapeWhitespaces ? Space : " "u8);
}
