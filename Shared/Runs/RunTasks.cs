namespace Hearth.Runs;

/// <summary>What a run does with its dataset.</summary>
public static class RunTasks
{
    /// <summary>Predicts every token of texts.</summary>
    public const string Pretrain = "pretrain";

    /// <summary>Supervised fine-tuning: predicts what the assistant says in conversations, from a checkpoint on.</summary>
    public const string Sft = "sft";

    public static IReadOnlyList<string> All { get; } = [Pretrain, Sft];
}
