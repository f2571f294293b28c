using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Hearth.Runs;

namespace Hearth.Coordinator.Hosting.Wire;

/// <summary>
/// Holds a JSON body against the type that a route reads, before anything reads it: kinds, nulls, what is missing, keys that are given twice, texts that are
/// no Unicode, lists without end. Every error is found, up to a bound, and named by its path; behind it, values are what their types say.
/// </summary>
/// <param name="options">How the routes read JSON.</param>
/// <param name="strict">Keys that the type does not have are errors; else they are left alone, as between protocol versions.</param>
internal sealed class WireCheck(JsonSerializerOptions options, bool strict)
{
    /// <summary>Errors in one answer.</summary>
    public const int MostErrors = 50;

    private const int MostEntries = 100_000;
    private const int LongestText = 1 << 20;
    private static readonly string[] NotFinite = ["NaN", "Infinity", "-Infinity"];
    private readonly List<FieldError> _errors = [];

    private StringComparer Names => options.PropertyNameCaseInsensitive ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal;

    private bool IsFull => _errors.Count >= MostErrors;

    /// <returns>What is wrong; empty when the body may be read.</returns>
    public IReadOnlyList<FieldError> Check(JsonElement body, Type type)
    {
        Value("", body, type, mayBeNull: false);
        return _errors;
    }

    /// <summary>Whether null may stand for the property.</summary>
    internal static bool MayBeNull(JsonPropertyInfo property) =>
        Nullable.GetUnderlyingType(property.PropertyType) is not null
        || (!property.PropertyType.IsValueType && (property.AssociatedParameter?.IsNullable ?? property.IsSetNullable));

    private static bool IsRequired(JsonPropertyInfo property) =>
        property.IsRequired || (property.AssociatedParameter is { HasDefaultValue: false } && !MayBeNull(property));

    private void Value(string at, JsonElement value, Type type, bool mayBeNull)
    {
        if (IsFull || (value.ValueKind == JsonValueKind.Null && mayBeNull))
        {
            return;
        }

        type = Nullable.GetUnderlyingType(type) ?? type;
        if (value.ValueKind == JsonValueKind.Null)
        {
            Wrong(at, "null", Allowed(type));
        }
        else if (type == typeof(JsonElement))
        {
            Raw(at, value);
        }
        else if (options.GetTypeInfo(type) is { Kind: JsonTypeInfoKind.Object } record)
        {
            Record(at, value, record);
        }
        else if (options.GetTypeInfo(type) is { Kind: JsonTypeInfoKind.Enumerable, ElementType: { } entry })
        {
            List(at, value, entry);
        }
        else
        {
            Scalar(at, value, type);
        }
    }

    private void Record(string at, JsonElement value, JsonTypeInfo type)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            Wrong(at, Show(value), "an object");
            return;
        }

        string? kind = type.PolymorphismOptions?.TypeDiscriminatorPropertyName;
        if (kind is not null)
        {
            if (Derived(at, value, type) is not { } derived)
            {
                return;
            }

            type = derived;
        }

        var known = type.Properties.Where(p => p.Set is not null || p.AssociatedParameter is not null).ToDictionary(p => p.Name, Names);
        var seen = new HashSet<string>(Names);
        foreach (var (name, member) in Members(at, value, seen))
        {
            if (known.TryGetValue(name, out var property))
            {
                Value(Join(at, name), member, property.PropertyType, MayBeNull(property));
            }
            else if (strict && name != kind)
            {
                string names = string.Join(", ", known.Keys);
                Add(new FieldError(Join(at, name), Show(member), names, $"No field is called {Join(at, name)}. Allowed: {names}."));
            }
        }

        foreach (var property in known.Values.Where(p => !seen.Contains(p.Name) && IsRequired(p)))
        {
            Wrong(Join(at, property.Name), "", Allowed(property.PropertyType));
        }
    }

    private JsonTypeInfo? Derived(string at, JsonElement value, JsonTypeInfo type)
    {
        var kinds = type.PolymorphismOptions!;
        string? given = value.TryGetProperty(kinds.TypeDiscriminatorPropertyName, out var word) && word.ValueKind == JsonValueKind.String ? Text(word) : null;
        if (kinds.DerivedTypes.FirstOrDefault(d => given is not null && (d.TypeDiscriminator as string) == given) is { DerivedType: { } derived })
        {
            return options.GetTypeInfo(derived);
        }

        Wrong(Join(at, kinds.TypeDiscriminatorPropertyName), given ?? "", string.Join(", ", kinds.DerivedTypes.Select(d => d.TypeDiscriminator)));
        return null;
    }

    private void List(string at, JsonElement value, Type entry)
    {
        if (value.ValueKind != JsonValueKind.Array)
        {
            Wrong(at, Show(value), "a list");
            return;
        }

        if (value.GetArrayLength() is > MostEntries and var length)
        {
            Wrong(at, $"a list of {Words.Number(length)}", $"at most {Words.Number(MostEntries)} entries");
            return;
        }

        int i = 0;
        foreach (var member in value.EnumerateArray())
        {
            if (IsFull)
            {
                return;
            }

            Value($"{at}[{i++}]", member, entry, mayBeNull: false);
        }
    }

    private void Scalar(string at, JsonElement value, Type type)
    {
        bool fits = value.ValueKind switch
        {
            JsonValueKind.True or JsonValueKind.False => type == typeof(bool),
            JsonValueKind.Number => IsNumber(value, type),
            JsonValueKind.String => Text(value) is { Length: <= LongestText } text && IsText(text, value, type),
            _ => false,
        };
        if (!fits)
        {
            Wrong(at, Show(value), Allowed(type));
        }
    }

    private static bool IsNumber(JsonElement value, Type type) => Type.GetTypeCode(type) switch
    {
        _ when type.IsEnum => false,
        TypeCode.Int32 => value.TryGetInt32(out _),
        TypeCode.Int64 => value.TryGetInt64(out _),
        TypeCode.Single => value.TryGetSingle(out float number) && float.IsFinite(number),
        TypeCode.Double => value.TryGetDouble(out double number) && double.IsFinite(number),
        _ => false,
    };

    private static bool IsText(string text, JsonElement value, Type type) => Type.GetTypeCode(type) switch
    {
        _ when type.IsEnum => EnumWords(type).Contains(text, StringComparer.OrdinalIgnoreCase),
        TypeCode.String => true,
        TypeCode.Single or TypeCode.Double => NotFinite.Contains(text),
        _ when type == typeof(Guid) => Guid.TryParseExact(text, "D", out _),
        _ when type == typeof(DateTimeOffset) => value.TryGetDateTimeOffset(out _),
        _ => false,
    };

    // Of no type that is known here: whoever reads it checks its fields.
    private void Raw(string at, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var (name, member) in Members(at, value, new HashSet<string>(StringComparer.Ordinal)))
                {
                    Raw(Join(at, name), member);
                }

                break;
            case JsonValueKind.Array:
                int i = 0;
                foreach (var member in value.EnumerateArray().TakeWhile(_ => !IsFull))
                {
                    Raw($"{at}[{i++}]", member);
                }

                break;
            case JsonValueKind.String when Text(value) is null:
                Wrong(at, Show(value), "Unicode text");
                break;
        }
    }

    private IEnumerable<(string Name, JsonElement Value)> Members(string at, JsonElement value, HashSet<string> seen)
    {
        foreach (var property in value.EnumerateObject())
        {
            if (IsFull)
            {
                yield break;
            }

            if (NameOf(property) is not { } name)
            {
                Wrong(at, "an object with a broken key", "keys of Unicode text");
            }
            else if (!seen.Add(name))
            {
                Add(new FieldError(Join(at, name), Show(property.Value), "once", $"{Join(at, name)} is given twice. Allowed: once."));
            }
            else
            {
                yield return (name, property.Value);
            }
        }
    }

    // Half of a surrogate pair, or bytes that are no UTF-8: the reader has no other way to say so.
    private static string? NameOf(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private static string? Text(JsonElement value)
    {
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private static string Show(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => $"a list of {Words.Number(value.GetArrayLength())}",
        JsonValueKind.String => Text(value) switch
        {
            null => "a text with broken characters",
            { Length: 0 } => "an empty text",
            { Length: > LongestText } text => $"a text of {Words.Number(text.Length)} characters",
            var text => text,
        },
        _ => value.GetRawText(),
    };

    private string Allowed(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return Type.GetTypeCode(type) switch
        {
            _ when type.IsEnum => string.Join(", ", EnumWords(type)),
            TypeCode.String => $"Unicode text of at most {Words.Number(LongestText)} characters",
            TypeCode.Boolean => "true, false",
            TypeCode.Int32 => $"a whole number, {Words.Number(int.MinValue)} to {Words.Number(int.MaxValue)}",
            TypeCode.Int64 => "a whole number of 64 bits",
            TypeCode.Single or TypeCode.Double => $"a number, {string.Join(", ", NotFinite)}",
            _ when type == typeof(Guid) => "an id",
            _ when type == typeof(DateTimeOffset) => "a time as in 2026-01-31T09:30:00Z",
            _ when type == typeof(JsonElement) => "a value",
            _ => options.GetTypeInfo(type).Kind is JsonTypeInfoKind.Enumerable ? "a list" : "an object",
        };
    }

    private static IEnumerable<string> EnumWords(Type type) => Enum.GetNames(type).Select(JsonNamingPolicy.SnakeCaseLower.ConvertName);

    private static string Join(string at, string name)
    {
        string key = name.Length == 0 ? "\"\"" : name;
        return at.Length == 0 ? key : $"{at}.{key}";
    }

    private void Wrong(string at, string value, string allowed) => Add(FieldError.Of(at.Length == 0 ? "body" : at, value, allowed));

    private void Add(FieldError error)
    {
        if (!IsFull)
        {
            _errors.Add(error);
        }
    }
}
