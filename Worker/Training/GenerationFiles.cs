using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Runs;
using Hearth.Tokenizers;

namespace Hearth.Training;

/// <summary>
/// What Hugging Face's transformers read beside a model: <c>generation_config.json</c>, and for a tokenizer of its own form <c>tokenizer_config.json</c> with the
/// special tokens. Nothing of Hearth reads them; VUAF's published folder has its own files and goes without.
/// </summary>
internal static class GenerationFiles
{
    internal const string GenerationName = "generation_config.json";
    internal const string TokenizerName = "tokenizer_config.json";

    internal static void Write(TrainedModel trained, string folder)
    {
        var (model, tokenizer) = trained;
        var how = new SampleSpec();
        var generation = new JsonObject
        {
            ["do_sample"] = true,
            ["temperature"] = how.Temperature,
            ["top_k"] = how.TopK,
            ["max_length"] = model.Plan.MaxSeqLen,
        };
        AddId(generation, "bos_token_id", tokenizer.Special(SpecialTokens.Begin));
        AddId(generation, "eos_token_id", tokenizer.EndToken);
        AddId(generation, "pad_token_id", tokenizer.Special(SpecialTokens.Pad));
        Save(folder, GenerationName, generation);

        // The other kinds are read by a class of their own.
        if (tokenizer is BpeTokenizer)
        {
            var described = new JsonObject
            {
                ["tokenizer_class"] = "PreTrainedTokenizerFast",
                ["model_max_length"] = model.Plan.MaxSeqLen,
                ["clean_up_tokenization_spaces"] = false,
            };
            foreach (var (field, token) in new[] { ("bos_token", SpecialTokens.Begin), ("eos_token", SpecialTokens.End), ("pad_token", SpecialTokens.Pad), ("unk_token", SpecialTokens.Unknown) })
            {
                if (tokenizer.Special(token) >= 0)
                {
                    described[field] = token;
                }
            }

            Save(folder, TokenizerName, described);
        }
    }

    private static void AddId(JsonObject json, string field, int id)
    {
        if (id >= 0)
        {
            json[field] = id;
        }
    }

    private static void Save(string folder, string name, JsonObject json) => File.WriteAllBytes(Path.Combine(folder, name), JsonSerializer.SerializeToUtf8Bytes(json, Json.Pretty));
}
