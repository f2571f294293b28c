using System.Globalization;
using System.Text;
using Hearth.Models;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Coordinator.Generations;

/// <summary>Every check of a request, before anything is placed. Pure.</summary>
public static class GenerationChecks
{
    public const int MostTokens = 8192;
    public const int LongestText = 1 << 18;
    private const int MostMessages = 200;
    private const int LongestCategory = 64;
    private const int MostChances = 20;
    private static readonly string[] Speakers = ["system", "user", "assistant"];

    /// <summary>What is wrong with a request by itself.</summary>
    public static IReadOnlyList<FieldError> Check(GenerationRequest request)
    {
        var errors = new List<FieldError>();
        CheckText(request, errors);
        Range("max_tokens", request.MaxTokens, 1, MostTokens);
        Range("temperature", request.Temperature, 0, 10);
        Range("top_k", request.TopK, 0, 1 << 20);
        Range("top_p", request.TopP, 0, 1);
        Range("min_p", request.MinP, 0, 1);
        Range("repetition_penalty", request.RepetitionPenalty, 0.1, 10);
        Range("seed", request.Seed, 0, int.MaxValue);
        Range("halt_threshold", request.HaltThreshold ?? 0, 0, 1);
        Range("chances", request.Chances, 0, MostChances);
        if (!ChatTemplateNames.All.Contains(request.Template))
        {
            errors.Add(Wrong("template", request.Template ?? "", string.Join(", ", ChatTemplateNames.All)));
        }

        if (request is { Speculative: true, Temperature: not 0 })
        {
            errors.Add(new FieldError("temperature", Words.Number(request.Temperature), "0 with speculative", $"speculative decodes greedily, and temperature is {Words.Number(request.Temperature)}. Allowed: 0."));
        }

        if (request is { Speculative: true, RepetitionPenalty: not 1 })
        {
            errors.Add(new FieldError("repetition_penalty", Words.Number(request.RepetitionPenalty), "1 with speculative", $"speculative decodes greedily, and repetition_penalty is {Words.Number(request.RepetitionPenalty)}. Allowed: 1."));
        }

        return errors;

        // A value that is no number is in no range.
        void Range(string field, double value, double least, double most)
        {
            if (!(value >= least && value <= most))
            {
                errors.Add(Wrong(field, Words.Number(value), $"{Words.Number(least)} to {Words.Number(most)}"));
            }
        }
    }

    /// <summary>What the checkpoint's model cannot do of a request.</summary>
    public static IReadOnlyList<FieldError> Check(GenerationRequest request, ModelPlan plan)
    {
        var errors = new List<FieldError>();
        void Without(bool asked, bool able, string field, string shown, string allowed, string what)
        {
            if (asked && !able)
            {
                errors.Add(new FieldError(field, shown, allowed, $"{field} is {shown}, but {plan.Title} has no {what}."));
            }
        }

        var can = plan.Decoding;
        string threshold = request.HaltThreshold?.ToString("R", CultureInfo.InvariantCulture) ?? "";
        if (request.Temperature > can.MostTemperature)
        {
            errors.Add(Wrong("temperature", Words.Number(request.Temperature), $"0 to {Words.Number(can.MostTemperature)} for {plan.Title}"));
        }

        Without(request.HaltThreshold is not null, can.Loops > 1, "halt_threshold", threshold, "none", "loop to leave early");
        Without(request.Speculative, can.Drafts > 0, "speculative", "true", "false", "heads that draft");
        Without(request.KeepMemory, can.Memory, "keep_memory", "true", "false", "memory between texts");
        Without(request.FreezeMemory, can.Memory, "freeze_memory", "true", "false", "memory between texts");
        return errors;
    }

    /// <summary>Most tokens that the text can be: no tokenizer makes more tokens than there are bytes, besides a template's own.</summary>
    public static int MostPromptTokens(GenerationRequest request) => request.Messages is { } messages
        ? messages.Sum(m => Encoding.UTF8.GetByteCount(m.Text) + 8)
        : Math.Max(1, Encoding.UTF8.GetByteCount(request.Prompt ?? ""));

    private static void CheckText(GenerationRequest request, List<FieldError> errors)
    {
        const string Either = "text in prompt, or a list in messages";
        switch (request)
        {
            case { Prompt: null, Messages: null }:
                errors.Add(new FieldError("prompt", "", Either, $"Neither prompt nor messages is given. Allowed: {Either}."));
                break;
            case { Prompt: not null, Messages: not null }:
                errors.Add(new FieldError("messages", "", Either, $"prompt and messages are both given. Allowed: {Either}."));
                break;
            case { Prompt: { } prompt } when prompt.Length is 0 or > LongestText:
                errors.Add(Wrong("prompt", $"{Words.Number(prompt.Length)} characters long", $"1 to {Words.Number(LongestText)} characters"));
                break;
            case { Messages: { } messages }:
                CheckMessages(messages, errors);
                break;
        }

        if (request.Category?.Length > LongestCategory)
        {
            errors.Add(Wrong("category", request.Category, $"at most {LongestCategory} characters"));
        }

        // A tokenizer may have NUL; no database does, so that the answer would be to another text.
        if (request.Prompt?.Contains('\0', StringComparison.Ordinal) == true)
        {
            errors.Add(Wrong("prompt", "a text with U+0000", "text without U+0000"));
        }

        if (request.Messages is null && (request.Category ?? (request.Think ? "true" : null)) is { } unread)
        {
            errors.Add(new FieldError(request.Category is null ? "think" : "category", unread, "with messages", $"{(request.Category is null ? "think" : "category")} is set without messages. Allowed: with messages."));
        }
    }

    private static void CheckMessages(IReadOnlyList<ChatTurn> messages, List<FieldError> errors)
    {
        if (messages.Count is 0 or > MostMessages)
        {
            errors.Add(Wrong("messages", $"a list of {messages.Count}", $"1 to {MostMessages} turns"));
            return;
        }

        for (int i = 0; i < messages.Count; i++)
        {
            var (role, text) = messages[i] ?? new ChatTurn("", "");
            string allowed = i == 0 ? string.Join(", ", Speakers) : "user, assistant";
            if (!Speakers.Contains(role) || (i > 0 && role == Speakers[0]))
            {
                errors.Add(Wrong($"messages[{i}].role", role ?? "", allowed));
            }

            if (text is null || text.Length is 0 or > LongestText || text.Contains('\0', StringComparison.Ordinal))
            {
                errors.Add(Wrong($"messages[{i}].text", text is null ? "" : $"{Words.Number(text.Length)} characters long", $"1 to {Words.Number(LongestText)} characters, none of them U+0000"));
            }
        }

        if (messages[^1]?.Role is not "user")
        {
            errors.Add(Wrong($"messages[{messages.Count - 1}].role", messages[^1]?.Role ?? "", "user, for the last one"));
        }
    }

    private static FieldError Wrong(string field, string value, string allowed) => FieldError.Of(field, value, allowed, withoutValue: "empty");
}
