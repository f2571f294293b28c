using Hearth.Data;

namespace Hearth.Training.Data;

/// <summary>
/// What the first reading of a dataset tells, so that later ones need no document twice: its content, and which documents are held out. A byte a
/// document is kept, and no text.
/// </summary>
internal sealed class DatasetSurvey
{
    private readonly List<bool> _heldOut;

    private DatasetSurvey(string contentSha256, List<bool> heldOut) => (ContentSha256, _heldOut) = (contentSha256, heldOut);

    /// <summary>See <see cref="DatasetContent.Finish"/>.</summary>
    internal string ContentSha256 { get; }

    internal int Documents => _heldOut.Count;

    /// <summary>Letters of all documents.</summary>
    internal long Letters { get; private init; }

    /// <summary>Letters of those that train.</summary>
    internal long TrainingLetters { get; private init; }

    /// <summary>Whether anything is said of any document beside its text.</summary>
    internal bool HasMetadata { get; private init; }

    /// <param name="documents">In the dataset's order.</param>
    /// <param name="fraction">Share held out.</param>
    /// <param name="chat">Whether they have to be conversations, or texts.</param>
    /// <exception cref="DatasetException">There are fewer than two documents, or one is of the other kind; names it.</exception>
    internal static DatasetSurvey Of(IEnumerable<Document> documents, double fraction, bool chat)
    {
        using var content = new DatasetContent();
        var heldOut = new List<bool>();
        long letters = 0, training = 0, last = 0;
        bool metadata = false;
        foreach (var document in documents)
        {
            CheckKind(document, chat);
            if (document.Turns is { } turns)
            {
                content.Add(turns, document.Metadata);
            }
            else
            {
                content.Add(document.Text, document.Metadata);
            }

            metadata |= !document.Metadata.IsEmpty;
            heldOut.Add(document.IsValidation(fraction));
            last = document.Text.Length;
            letters += last;
            training += heldOut[^1] ? 0 : last;
        }

        return new DatasetSurvey(content.Finish(), heldOut) { Letters = letters, TrainingLetters = training, HasMetadata = metadata }.WithBothParts(last);
    }

    /// <summary>Whether a document is of validation.</summary>
    /// <param name="document">Its place in the dataset.</param>
    internal bool IsHeldOut(int document) => _heldOut[document];

    // By hash; where that leaves a side empty, the last document goes there.
    private DatasetSurvey WithBothParts(long lastLetters)
    {
        if (Documents < 2)
        {
            throw new DatasetException($"The dataset has {Documents} document; one must train and another validate. Allowed: at least 2 documents.");
        }

        bool none = !_heldOut.Contains(true), all = !_heldOut.Contains(false);
        if (!none && !all)
        {
            return this;
        }

        _heldOut[^1] = none;
        return new DatasetSurvey(ContentSha256, _heldOut) { Letters = Letters, TrainingLetters = none ? TrainingLetters - lastLetters : lastLetters, HasMetadata = HasMetadata };
    }

    private static void CheckKind(Document document, bool chat)
    {
        if (document.Turns is not null != chat)
        {
            throw new DatasetException(chat
                ? $"{document.Name} is a text, and task is sft. Allowed: a dataset of conversations (JSON lines with messages)."
                : $"{document.Name} is a conversation, and task is pretrain. Allowed: a dataset of texts, or task sft.");
        }
    }
}
