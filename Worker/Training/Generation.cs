using Hearth.Models;
using Hearth.Runs;
using Hearth.Tokenizers;
using Hearth.Training.Chat;

namespace Hearth.Training;

/// <summary>Text from a model: the prompt goes on until the end token or the limit. Of a tuned model the prompt is a user's message, and the text its answer.</summary>
public static class Generation
{
    /// <param name="model">Writes it.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="template">What the model was tuned with; null = it goes on with a text.</param>
    /// <param name="how">Prompt, length and choice of tokens.</param>
    /// <param name="seed">Of the choice.</param>
    /// <param name="control">Stops it.</param>
    /// <exception cref="ChatException">The prompt cannot be written as a message.</exception>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    public static string Text(LanguageModel model, ITokenizer tokenizer, IChatTemplate? template, SampleSpec how, long seed, TrainerControl control)
    {
        int[] prompt = template is null ? tokenizer.Encode(how.Prompt) : ChatTokens.Prompt(tokenizer, template, [new ChatMessage(ChatRole.User, how.Prompt)]);
        IReadOnlySet<int> stops = template is null ? new HashSet<int> { tokenizer.EndToken } : ChatTokens.Stops(tokenizer, template);
        var ids = new List<int>();
        foreach (int id in Sampler.Generate(model, prompt.Length > 0 ? prompt : [Math.Max(0, tokenizer.EndToken)], how.MaxTokens, new Sampling(how.Temperature, how.TopK, (ulong)seed)))
        {
            control.ThrowIfStopped();
            if (stops.Contains(id))
            {
                break;
            }

            ids.Add(id);
        }

        string text = tokenizer.DecodeAfter(prompt, ids);
        return template is null ? text : text.Trim();
    }
}
