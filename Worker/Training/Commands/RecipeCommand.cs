using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Hearth.Models;
using Hearth.Runs;

namespace Hearth.Training.Commands;

/// <summary>
/// <c>recipe FAMILY SIZE</c>: the run that the family recommends for a size, as YAML to edit, submit or train: every field with its
/// value and what it takes, the family's own fields as comments. Nothing is allocated and libtorch is not loaded.
/// </summary>
internal static partial class RecipeCommand
{
    private const int HelpColumn = 36;
    private const string AsJson = "--json", Dataset = "--dataset";
    private const string Usage = "recipe FAMILY SIZE";

    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, [ModelOverrides.Option, Dataset], [AsJson]);
        if (arguments.Words is not [var family, var size])
        {
            throw new BadInputException($"recipe {string.Join(' ', arguments.Words)} names no family and size. Allowed: {Usage}.");
        }

        var settings = arguments.Texts(ModelOverrides.Option);
        var plan = ModelOverrides.Plan(family, size, settings);
        var spec = Of(plan, ModelOverrides.Parse(family, settings), arguments.Text(Dataset) ?? "");
        Console.Write(arguments.Has(AsJson) ? JsonSerializer.Serialize(spec, Json.Pretty) + "\n" : Yaml(spec, plan));
        return ExitCodes.Done;
    }

    private static RunSpec Of(ModelPlan plan, Dictionary<string, JsonElement> settings, string dataset)
    {
        var recipe = Families.Find(plan.Family)!.Recipe(plan.Size);
        foreach (var (name, value) in settings)
        {
            recipe.Model.Overrides[name] = value;
        }

        return recipe with { Data = recipe.Data with { Dataset = dataset } };
    }

    private static string Yaml(RunSpec spec, ModelPlan plan)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"# {plan.Title}, {plan.Parameters:N0} parameters, as docs/families/{plan.Family}.md recommends it.\n");
        foreach (var (name, value) in JsonSerializer.SerializeToNode(spec, Json.Wire)!.AsObject())
        {
            if (value is not JsonObject section)
            {
                Line(text, "", name, value, HelpOf(name));
                continue;
            }

            text.Append(CultureInfo.InvariantCulture, $"{name}:\n");
            foreach (var (key, inner) in section)
            {
                Line(text, "  ", key, inner, HelpOf($"{name}.{key}") ?? OwnHelp(plan.Family, key));
            }

            if (name == "model")
            {
                OwnFields(text, spec, plan);
            }
        }

        return text.ToString();
    }

    // Fields that the recipe leaves as the size has them: shown, so that one can be taken in and changed.
    private static void OwnFields(StringBuilder text, RunSpec spec, ModelPlan plan)
    {
        text.Append(CultureInfo.InvariantCulture, $"  # {Families.Find(plan.Family)!.Title}'s further fields and their values in this size:\n");
        foreach (var field in Families.Find(plan.Family)!.Fields.Where(f => !spec.Model.Overrides.ContainsKey(f.Name)))
        {
            Line(text, "  # ", field.Name, plan.Config[field.Name], OwnHelp(plan.Family, field.Name));
        }
    }

    private static void Line(StringBuilder text, string indent, string key, JsonNode? value, string? help)
    {
        string line = $"{indent}{key}: {Scalar(value)}";
        text.Append(help is null ? line : $"{line.PadRight(HelpColumn)}  # {help}").Append('\n');
    }

    private static string? HelpOf(string path) => RunSpecFields.All.FirstOrDefault(r => r.Path == path) is { } rule ? Help(rule.Help, rule.Kind == FieldKind.Text ? "" : rule.Allowed) : null;

    private static string? OwnHelp(string family, string name) => Families.Find(family)!.Fields.FirstOrDefault(f => f.Name == name) is { } field ? Help(field.Help, field.Allowed) : null;

    private static string Help(string help, string allowed) => allowed.Length == 0 ? help : $"{help} Allowed: {allowed}.";

    // JSON's scalars and lists are YAML's; words need no quotes.
    private static string Scalar(JsonNode? value) => value switch
    {
        null => "null",
        JsonArray list => $"[{string.Join(", ", list.Select(Scalar))}]",
        _ when value.GetValueKind() == JsonValueKind.String && Word().IsMatch(value.GetValue<string>()) => value.GetValue<string>(),
        _ => value.ToJsonString(Json.Wire),
    };

    // Not true, false, null or a number with a letter in front.
    [GeneratedRegex("^(?!(true|false|null|yes|no|on|off)$)[A-Za-z][A-Za-z0-9_/-]*$")]
    private static partial Regex Word();
}
