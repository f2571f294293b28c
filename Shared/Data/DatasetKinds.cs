namespace Hearth.Data;

/// <summary>What a dataset's documents are.</summary>
public static class DatasetKinds
{
    /// <summary>A document per file.</summary>
    public const string Text = "text";

    /// <summary>Texts, one per line of a JSON-lines file.</summary>
    public const string JsonLines = "jsonl";

    /// <summary>Conversations, for supervised fine-tuning.</summary>
    public const string Chat = "chat";
}
