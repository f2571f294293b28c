using System.Globalization;

namespace Hearth.Training.Data;

/// <summary>What a run on conversations is told of its data before the first step.</summary>
internal static class ChatNotices
{
    /// <param name="manifest">Of the prepared dataset.</param>
    /// <param name="training">Its shard.</param>
    /// <param name="validation">Its shard.</param>
    /// <param name="length">Tokens of a row.</param>
    /// <exception cref="DatasetException">No conversation has a token of the assistant within a row, or a part has none at all.</exception>
    internal static IEnumerable<string> Of(DatasetManifest manifest, Shard training, Shard validation, int length)
    {
        if (!training.IsMasked && !validation.IsMasked)
        {
            return [];
        }

        var said = new List<string>();
        if (manifest.LeftOut is { } left)
        {
            said.Add(string.Create(CultureInfo.InvariantCulture, $"{left.Count} of {manifest.Documents} conversations cannot be written and are left out: {string.Join(" ", left.Examples)}"));
        }

        foreach (var (shard, name) in new[] { (training, "training"), (validation, "validation") })
        {
            var (cut, mute) = Count(shard, length);
            if (mute == shard.DocumentCount)
            {
                throw new DatasetException(shard.DocumentCount == 0
                    ? $"No conversation is left for {name}. Allowed: more conversations, or another data.validation_fraction."
                    : string.Create(CultureInfo.InvariantCulture, $"None of the {mute} {name} conversations has a token of the assistant within a row of {length} (data.seq_len). Allowed: longer rows."));
            }

            if (cut > 0)
            {
                said.Add(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{cut} of {shard.DocumentCount} {name} conversations are longer than a row of {length} tokens (data.seq_len): their ends are cut, and {mute} lose every token of the assistant."));
            }
        }

        return said;
    }

    private static (long Cut, long Mute) Count(Shard shard, int length)
    {
        long cut = 0, mute = 0;
        bool[] targets = new bool[length];
        for (long document = 0; document < shard.DocumentCount; document++)
        {
            var (start, tokens) = shard.Extent(document);
            if (tokens > length)
            {
                cut++;
                shard.ReadTargets(start, targets);
                mute += targets.Contains(true) ? 0 : 1;
            }
        }

        return (cut, mute);
    }
}
