using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace Hearth.Cli;

/// <summary>Options and arguments whose wrong values are refused by their name, the value and what is allowed.</summary>
internal static class Given
{
    /// <param name="name">With its dashes.</param>
    /// <param name="description">One line of help.</param>
    /// <param name="usual">Where nobody says.</param>
    /// <param name="least">That is allowed.</param>
    /// <param name="most">That is allowed.</param>
    public static Option<T> Number<T>(string name, string description, T usual, T least, T most)
        where T : struct, INumber<T>, IMinMaxValue<T> =>
        new(name) { Description = description, DefaultValueFactory = _ => usual, CustomParser = r => Read(r, name, least, most) ?? usual };

    /// <summary>A number whose bounds whoever takes it knows.</summary>
    public static Option<T> Number<T>(string name, string description, T usual)
        where T : struct, INumber<T>, IMinMaxValue<T> => Number(name, description, usual, T.MinValue, T.MaxValue);

    /// <summary>A number that may be left out.</summary>
    public static Option<T?> Optional<T>(string name, string description, T least, T most)
        where T : struct, INumber<T>, IMinMaxValue<T> => new(name) { Description = description, CustomParser = r => Read(r, name, least, most) };

    /// <summary>A number that may be left out and whose bounds whoever takes it knows.</summary>
    public static Option<T?> Optional<T>(string name, string description)
        where T : struct, INumber<T>, IMinMaxValue<T> => Optional(name, description, T.MinValue, T.MaxValue);

    /// <summary>An id that may be left out.</summary>
    public static Option<Guid?> OptionalId(string name, string description) => new(name)
    {
        Description = description,
        CustomParser = r => Guid.TryParse(Token(r), out var id) ? id : Refuse<Guid?>(r, name, "an id"),
    };

    public static Argument<Guid> Id(string name, string description) => new(name)
    {
        Description = description,
        CustomParser = r => Guid.TryParse(Token(r), out var id) ? id : Refuse<Guid>(r, name, "an id"),
    };

    public static Argument<FileInfo> File(string name, string description) => new(name)
    {
        Description = description,
        CustomParser = r => string.IsNullOrWhiteSpace(Token(r)) ? Refuse<FileInfo?>(r, name, "the path of a file") : new FileInfo(Token(r)),
    };

    public static Option<string> NotEmpty(this Option<string> option, string allowed)
    {
        option.Validators.Add(r => RefuseEmpty(r, r.Tokens, option.Name, allowed));
        return option;
    }

    public static Argument<T> NotEmpty<T>(this Argument<T> argument, string allowed)
    {
        argument.Validators.Add(r => RefuseEmpty(r, r.Tokens, argument.Name, allowed));
        return argument;
    }

    private static T? Read<T>(ArgumentResult given, string name, T least, T most)
        where T : struct, INumber<T>, IMinMaxValue<T>
    {
        if (T.TryParse(Token(given), NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most)
        {
            return value;
        }

        string kind = T.IsInteger(T.MaxValue) && !T.TryParse("0.5", NumberStyles.Float, CultureInfo.InvariantCulture, out _) ? "a whole number" : "a number";
        return Refuse<T?>(given, name, (least, most) == (T.MinValue, T.MaxValue) ? kind : string.Create(CultureInfo.InvariantCulture, $"{least:#,0.###} to {most:#,0.###}"));
    }

    private static string Token(ArgumentResult given) => given.Tokens.Count == 0 ? "" : given.Tokens[0].Value;

    private static T? Refuse<T>(ArgumentResult given, string name, string allowed)
    {
        given.AddError($"{name} is {(Token(given).Length == 0 ? "empty" : Token(given))}. Allowed: {allowed}.");
        return default;
    }

    private static void RefuseEmpty(SymbolResult given, IReadOnlyList<Token> tokens, string name, string allowed)
    {
        if (tokens.Any(t => string.IsNullOrWhiteSpace(t.Value)))
        {
            given.AddError($"{name} is empty. Allowed: {allowed}.");
        }
    }
}
