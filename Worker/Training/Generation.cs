using Hearth.Models;
using Hearth.Runs;
using Hearth.Training.Tokenizers;

namespace Hearth.Training;

/// <summary>Text from a model: the prompt goes on until the end token or the limit.</summary>
public static class Generation
{
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    public static string Text(LanguageModel model, ITrainingData data, SampleSpec how, long seed, TrainerControl control)
    {
        int[] prompt = data.Tokenizer.Encode(how.Prompt);
        var ids = new List<int>();
        foreach (int id in Sampler.Generate(model, prompt.Length > 0 ? prompt : [Math.Max(0, data.Tokenizer.EndToken)], how.MaxTokens, new Sampling(how.Temperature, how.TopK, (ulong)seed)))
        {
            control.ThrowIfStopped();
            if (id == data.Tokenizer.EndToken)
            {
                break;
            }

            ids.Add(id);
        }

        return data.Tokenizer.DecodeAfter(prompt, ids);
    }
}
