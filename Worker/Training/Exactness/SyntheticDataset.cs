using Hearth.Runs;
using Hearth.Tokenizers;
using Hearth.Training.Data;

namespace Hearth.Training.Exactness;

/// <summary>
/// A prepared folder of random ids out of a model's whole vocabulary, the same for the same numbers. Its tokenizer knows bytes alone: the ids
/// beyond them have no text, and nothing that a run computes asks for one.
/// </summary>
internal static class SyntheticDataset
{
    private const int DocumentTokens = 300;

    /// <summary>Writes the folder, or finds that it was written before.</summary>
    /// <param name="root">Where it is to be.</param>
    /// <param name="vocabSize">Ids are below it.</param>
    /// <param name="trainTokens">Tokens to train on.</param>
    /// <param name="validationTokens">Tokens to validate on.</param>
    internal static string Write(string root, int vocabSize, int trainTokens, int validationTokens)
    {
        string key = $"synthetic-{vocabSize}-{trainTokens}-{validationTokens}";
        string folder = Path.Combine(root, key);
        if (File.Exists(Path.Combine(folder, PreparedDataset.ManifestName)))
        {
            return folder;
        }

        Directory.CreateDirectory(folder);
        var tokenizer = TokenizerTrainers.Create(TokenizerKinds.ByteBpe).Train(TokenizerKinds.LeastVocabulary(TokenizerKinds.ByteBpe));
        File.WriteAllBytes(Path.Combine(folder, tokenizer.FileName), tokenizer.File);
        var random = new SplitMix64((ulong)vocabSize);
        foreach (var (name, tokens) in new[] { (PreparedDataset.TrainName, trainTokens), (PreparedDataset.ValidationName, validationTokens) })
        {
            ShardWriter.Write(Path.Combine(folder, name), Documents(tokens), tokenizer.Sha256, vocabSize);
        }

        PreparedDataset.WriteManifest(folder, tokenizer, new DatasetManifest(key, tokenizer.Sha256, trainTokens, validationTokens, Count(trainTokens) + Count(validationTokens), []));
        return folder;

        static int Count(int tokens) => (tokens + DocumentTokens - 1) / DocumentTokens;

        IEnumerable<int[]> Documents(int tokens)
        {
            for (int left = tokens; left > 0; left -= DocumentTokens)
            {
                int[] document = new int[Math.Min(DocumentTokens, left)];
                for (int i = 0; i < document.Length - 1; i++)
                {
                    document[i] = (int)(random.Next() % (ulong)vocabSize);
                }

                document[^1] = tokenizer.EndToken;
                yield return document;
            }
        }
    }
}
