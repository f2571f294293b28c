using System.Globalization;

namespace Hearth.Protocol;

/// <summary>
/// The version of the worker protocol, told by both sides in the header <see cref="Header"/> of every call and answer. Programs one version apart work together;
/// who is two apart is refused with both numbers. Pure.
/// </summary>
public static class ProtocolVersion
{
    public const string Header = "Hearth-Protocol";

    /// <summary>
    /// 1: no header. 2: reports carry an agent's session and a number. 3: batches of points and log lines may be MessagePack (<see cref="BatchFormat"/>), and points
    /// are answered with <see cref="MetricsTaken"/>.
    /// </summary>
    public const int Current = 3;

    // Who sends no header is from before there was one.
    private const int Unsaid = 1;

    /// <summary>The version in a header's value; null when it is none.</summary>
    public static int? Parse(string? header) =>
        string.IsNullOrEmpty(header) ? Unsaid
        : int.TryParse(header, NumberStyles.None, CultureInfo.InvariantCulture, out int version) && version > 0 ? version
        : null;

    /// <summary>Why an agent and a coordinator do not work together; null when they do.</summary>
    public static string? Mismatch(int agent, int coordinator) =>
        Math.Abs((long)agent - coordinator) <= 1 ? null
        : $"The agent speaks version {agent} of the worker protocol, the coordinator version {coordinator}; they may be one apart. Update the {(agent < coordinator ? "agent" : "coordinator")}.";
}
