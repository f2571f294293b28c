using Hearth.Tokenizers;

namespace Hearth.Training.Data;

/// <summary>
/// Turns documents into tokenizer and shards. The dataset is read once to survey it, once to learn the tokenizer and once to pack, so that nothing of it stays in
/// memory but what is being encoded.
/// </summary>
internal sealed class TextPreparation(string source, DatasetSurvey survey, Preparation how)
{
    /// <summary>Writes the prepared folder.</summary>
    /// <param name="folder">Empty.</param>
    /// <param name="key">Of the dataset so prepared.</param>
    /// <param name="step">Makes a step of a name.</param>
    /// <exception cref="DatasetException">Too many conversations cannot be written, or the dataset is no more what the survey saw.</exception>
    internal void Write(string folder, string key, Func<string, LongStep> step)
    {
        var tokenizer = how.Given ?? Learn(step);
        File.WriteAllBytes(Path.Combine(folder, tokenizer.FileName), tokenizer.File);
        using var training = Shard(PreparedDataset.TrainName);
        using var validation = Shard(PreparedDataset.ValidationName);
        var leftOut = Pack(tokenizer, training, validation, step("tokenising"));
        training.Finish();
        validation.Finish();
        var manifest = new DatasetManifest(key, tokenizer.Sha256, training.Tokens, validation.Tokens, survey.Documents, []) { LeftOut = leftOut };
        PreparedDataset.WriteManifest(folder, tokenizer, manifest, step(PreparedDataset.Sealing));

        ShardWriter Shard(string name) => new(Path.Combine(folder, name), tokenizer.Sha256, how.VocabSize, survey.HasMetadata);
    }

    // Of a very large dataset a share is learnt from, chosen by hash: more text hardly changes which pairs are frequent, and each new word costs memory.
    private ITokenizer Learn(Func<string, LongStep> step)
    {
        var trainer = TokenizerTrainers.Create(how.Tokenizer);
        double share = how.LearntLetters / Math.Max(1.0, survey.TrainingLetters), done = 0;
        var counting = step("counting words");
        foreach (var (at, document) in Documents.Read(source, counting with { Progress = null }).Index())
        {
            double before = Math.Min(1, done / survey.Letters);
            counting.At(before);
            done += document.Text.Length;
            if (!IsHeldOut(at) && document.IsLearnt(share))
            {
                trainer.Add(document.Text, counting.Part(before, Math.Min(1, done / survey.Letters)));
            }
        }

        return trainer.Train(how.VocabSize, step("learning the tokenizer"));
    }

    private LeftOut? Pack(ITokenizer tokenizer, ShardWriter training, ShardWriter validation, LongStep step)
    {
        var encoding = new OrderedEncoding<DocumentEncoder, EncodedDocument>(
            () => new DocumentEncoder(tokenizer, how.Chat), (encoder, document, own) => encoder.Encode(document, own), Environment.ProcessorCount);
        var leftOut = new LeftOut(0, []);
        int at = 0;
        foreach (var (document, encoded) in encoding.Run(Documents.Read(source, step with { Progress = null }), survey.Letters, step))
        {
            var shard = IsHeldOut(at++) ? validation : training;
            if (encoded.Fault is { } fault)
            {
                leftOut = leftOut.And(fault);
                continue;
            }

            shard.Add(encoded.Ids, encoded.Targets, document.Metadata);
        }

        if (at < survey.Documents)
        {
            throw Changed();
        }

        leftOut.Check(survey.Documents, how.Chat?.Template ?? "");
        return leftOut.Count > 0 ? leftOut : null;
    }

    private bool IsHeldOut(int document) => document < survey.Documents ? survey.IsHeldOut(document) : throw Changed();

    private DatasetException Changed() => new($"{source} changed while it was read: it had {survey.Documents} documents at first. Allowed: a dataset that stays as it is.");
}
