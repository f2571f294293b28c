using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Hearth.Data;

/// <summary>One turn of a conversation in a dataset.</summary>
/// <param name="Role">One of <see cref="ChatRow.Roles"/>.</param>
/// <param name="Content">What was said, never empty.</param>
public sealed record ChatTurn(string Role, string Content);

/// <summary>
/// A conversation as a line of a JSON-lines file. Read in the forms that tuning sets come in: <c>messages</c> of role and content (OpenAI),
/// <c>conversations</c> of from and value (ShareGPT), <c>instruction</c>, <c>input</c> and <c>output</c> (Alpaca). Written in the first.
/// </summary>
public static class ChatRow
{
    public const string System = "system";
    public const string User = "user";
    public const string Assistant = "assistant";
    private const string Messages = "messages";
    private const string Conversations = "conversations";
    private const string Instruction = "instruction";
    private const string Output = "output";
    private const int LongestShown = 40;
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    // Other names of the roles in sets that people have.
    private static readonly Dictionary<string, string> RoleOf = new(StringComparer.Ordinal)
    {
        [System] = System, ["developer"] = System,
        [User] = User, ["human"] = User,
        [Assistant] = Assistant, ["gpt"] = Assistant, ["bot"] = Assistant, ["model"] = Assistant,
    };

    public static IReadOnlyList<string> Roles { get; } = [System, User, Assistant];

    /// <summary>Whether a line is meant as a conversation: it has the field of one of the forms.</summary>
    public static bool Is(JsonElement line) =>
        line.ValueKind == JsonValueKind.Object
        && (line.TryGetProperty(Messages, out _) || line.TryGetProperty(Conversations, out _) || (line.TryGetProperty(Instruction, out _) && line.TryGetProperty(Output, out _)));

    /// <summary>Reads a line for which <see cref="Is"/> holds.</summary>
    /// <param name="line">An object.</param>
    /// <param name="turns">The conversation; null where the line is wrong.</param>
    /// <returns>Null, or what is wrong: field, value and what is allowed.</returns>
    public static string? Read(JsonElement line, out IReadOnlyList<ChatTurn>? turns)
    {
        var found = new List<ChatTurn>();
        string? wrong = line.TryGetProperty(Messages, out var messages) ? ReadTurns(messages, Messages, "role", "content", found)
            : line.TryGetProperty(Conversations, out var conversations) ? ReadTurns(conversations, Conversations, "from", "value", found)
            : ReadAlpaca(line, found);
        wrong ??= found.Any(t => t.Role == Assistant) ? null : "it has no turn of the assistant. Allowed: at least one";
        turns = wrong is null ? found : null;
        return wrong;
    }

    /// <summary>Writes the turns as <c>messages</c> into an open object.</summary>
    public static void Write(Utf8JsonWriter json, IReadOnlyList<ChatTurn> turns)
    {
        json.WriteStartArray(Messages);
        WriteTurns(json, turns);
        json.WriteEndArray();
    }

    /// <summary>The turns alone, one text for each conversation: what is hashed.</summary>
    public static string ToJson(IReadOnlyList<ChatTurn> turns)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Relaxed))
        {
            json.WriteStartArray();
            WriteTurns(json, turns);
            json.WriteEndArray();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    private static void WriteTurns(Utf8JsonWriter json, IReadOnlyList<ChatTurn> turns)
    {
        foreach (var turn in turns)
        {
            json.WriteStartObject();
            json.WriteString("role", turn.Role);
            json.WriteString("content", turn.Content);
            json.WriteEndObject();
        }
    }

    private static string? ReadTurns(JsonElement list, string name, string roleName, string contentName, List<ChatTurn> turns)
    {
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0)
        {
            return $"its {name} is {(list.ValueKind == JsonValueKind.Array ? "empty" : Kind(list))}. Allowed: a list of turns with {roleName} and {contentName}";
        }

        foreach (var (i, turn) in list.EnumerateArray().Index())
        {
            string at = $"{name}[{i}]";
            if (turn.ValueKind != JsonValueKind.Object)
            {
                return $"its {at} is {Kind(turn)}. Allowed: an object with {roleName} and {contentName}";
            }

            if (!Text(turn, roleName, out string? said) || !RoleOf.TryGetValue(said, out string? role) || (role == System && i > 0))
            {
                return $"its {at}.{roleName} is {said ?? Kind(turn, roleName)}. Allowed: {(i == 0 ? string.Join(", ", RoleOf.Keys) : string.Join(", ", RoleOf.Where(r => r.Value != System).Select(r => r.Key)))}";
            }

            if (Content(turn, contentName) is not { Length: > 0 } content)
            {
                return $"its {at}.{contentName} is {Kind(turn, contentName)}. Allowed: text that is not empty";
            }

            turns.Add(new ChatTurn(role, content));
        }

        return null;
    }

    private static string? ReadAlpaca(JsonElement line, List<ChatTurn> turns)
    {
        foreach (string name in (string[])[Instruction, Output])
        {
            if (!Text(line, name, out string? text) || text.Length == 0)
            {
                return $"its {name} is {Kind(line, name)}. Allowed: text that is not empty";
            }
        }

        bool given = line.TryGetProperty("input", out var value) && value.ValueKind != JsonValueKind.Null;
        string? input = null;
        if (given && !Text(line, "input", out input))
        {
            return $"its input is {Kind(value)}. Allowed: text, or none";
        }

        _ = Text(line, Instruction, out string? instruction);
        _ = Text(line, Output, out string? output);
        if (Text(line, System, out string? system) && system.Length > 0)
        {
            turns.Add(new ChatTurn(System, system));
        }

        turns.Add(new ChatTurn(User, string.IsNullOrEmpty(input) ? instruction! : $"{instruction}\n\n{input}"));
        turns.Add(new ChatTurn(Assistant, output!));
        return null;
    }

    // OpenAI's content may be a list of parts; those of text are taken, and nothing else is left out unsaid.
    private static string? Content(JsonElement turn, string name)
    {
        if (Text(turn, name, out string? text))
        {
            return text;
        }

        if (!turn.TryGetProperty(name, out var parts) || parts.ValueKind != JsonValueKind.Array)
        {
            return null;
        }

        var whole = new StringBuilder();
        foreach (var part in parts.EnumerateArray())
        {
            if (part.ValueKind != JsonValueKind.Object || !Text(part, "type", out string? type) || type != "text" || !Text(part, "text", out string? piece))
            {
                return null;
            }

            whole.Append(piece);
        }

        return whole.ToString();
    }

    private static bool Text(JsonElement owner, string name, [NotNullWhen(true)] out string? text)
    {
        text = null;
        if (!owner.TryGetProperty(name, out var value) || value.ValueKind != JsonValueKind.String)
        {
            return false;
        }

        try
        {
            text = value.GetString();
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair, escaped.
        }

        return text is not null;
    }

    private static string Kind(JsonElement owner, string name) => owner.TryGetProperty(name, out var value) ? Kind(value) : "missing";

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetRawText() is var raw && raw.Length > LongestShown ? "a text" : raw,
        JsonValueKind.Array => "a list with something other than parts of text",
        JsonValueKind.Object => "an object",
        JsonValueKind.Null => "null",
        _ => value.GetRawText(),
    };
}
