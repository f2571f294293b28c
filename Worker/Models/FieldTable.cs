using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Runs;

namespace Hearth.Models;

/// <summary>The fields of a config record: its settable properties, in the order in which they stand there.</summary>
public static class FieldTable
{
    /// <exception cref="InvalidOperationException">A settable property has no <see cref="FieldAttribute"/>, or is of a type that no field has.</exception>
    public static IReadOnlyList<ModelField> Of(Type config) =>
        [.. config.GetProperties().Where(p => p.CanWrite).OrderBy(p => p.MetadataToken).Select(Field)];

    /// <summary>A size's config with overrides in it; null when an override is no field or not one of its values.</summary>
    public static TConfig? Merge<TConfig>(IReadOnlyList<ModelField> fields, TConfig size, IReadOnlyDictionary<string, JsonElement> overrides, IList<FieldError> errors)
        where TConfig : class
    {
        int before = errors.Count;
        foreach (var (name, value) in overrides.TakeWhile(_ => errors.Count < RunSpecReader.MostErrors))
        {
            Check(fields, name, value, errors);
        }

        if (errors.Count > before)
        {
            return null;
        }

        var json = JsonSerializer.SerializeToNode(size, Json.Wire)!.AsObject();
        foreach (var (name, value) in overrides)
        {
            json[name] = JsonNode.Parse(value.GetRawText());
        }

        return json.Deserialize<TConfig>(Json.Wire);
    }

    private static ModelField Field(PropertyInfo property)
    {
        var field = property.GetCustomAttribute<FieldAttribute>()
            ?? throw new InvalidOperationException($"{property.DeclaringType!.Name}.{property.Name} has no [Field].");
        return new ModelField(JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name), Kind(property), field.Help, field.Min, field.Max, field.Choices);
    }

    private static ModelFieldKind Kind(PropertyInfo property) => property.PropertyType switch
    {
        var type when type == typeof(int) => ModelFieldKind.Integer,
        var type when type == typeof(double) => ModelFieldKind.Number,
        var type when type == typeof(bool) => ModelFieldKind.Flag,
        var type when type == typeof(string) => ModelFieldKind.Choice,
        var type when type == typeof(IReadOnlyList<int>) => ModelFieldKind.IntegerList,
        var type when type == typeof(IReadOnlyList<string>) => ModelFieldKind.ChoiceList,
        var type => throw new InvalidOperationException($"{property.DeclaringType!.Name}.{property.Name} is a {type.Name}. Allowed: int, double, bool, string, and lists of int and string."),
    };

    private static void Check(IReadOnlyList<ModelField> fields, string name, JsonElement value, IList<FieldError> errors)
    {
        string shown = value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();
        var field = fields.FirstOrDefault(f => f.Name == name);
        if (field is null)
        {
            string? near = Words.Nearest(name, fields.Select(f => f.Name));
            errors.Add(new FieldError($"model.{name}", shown, near ?? "a field of the model", $"No field is called model.{name}.{(near is null ? "" : $" Nearest: model.{near}.")}"));
        }
        else if (!field.Accepts(value))
        {
            errors.Add(new FieldError($"model.{name}", shown, field.Allowed, $"model.{name} is {shown}. Allowed: {field.Allowed}."));
        }
    }
}
