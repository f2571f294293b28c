using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hearth;

/// <summary>The one JSON dialect of every file and wire: snake_case names and enum values, nulls left out, NaN as a string.</summary>
public static class Json
{
    /// <summary>Compact form, for wires and JSON lines.</summary>
    public static JsonSerializerOptions Wire { get; } = Make(indented: false);

    /// <summary>Indented form, for files that people read.</summary>
    public static JsonSerializerOptions Pretty { get; } = Make(indented: true);

    /// <summary>Applies the dialect to options that another part (ASP.NET) owns.</summary>
    public static void Configure(JsonSerializerOptions options)
    {
        options.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
        options.DictionaryKeyPolicy = null;
        options.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
        options.NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals;
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false));
    }

    private static JsonSerializerOptions Make(bool indented)
    {
        var options = new JsonSerializerOptions
        {
            WriteIndented = indented,
            AllowOutOfOrderMetadataProperties = true,
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        };
        Configure(options);
        return options;
    }
}
