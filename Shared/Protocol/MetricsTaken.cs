namespace Hearth.Protocol;

/// <summary>
/// Answer to a batch of metrics. What was refused is not to be sent again; a repeat of a batch that was taken before answers with nothing taken and nothing refused.
/// </summary>
/// <param name="Taken">Points and samples that are stored now.</param>
/// <param name="Refused">Points and samples that this attempt cannot have.</param>
/// <param name="Reasons">Of the first few of them, a sentence each.</param>
public sealed record MetricsTaken(int Taken, int Refused, IReadOnlyList<string> Reasons);
