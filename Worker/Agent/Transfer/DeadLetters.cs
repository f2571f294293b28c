using System.Globalization;
using Hearth.Protocol;

namespace Hearth.Agent;

/// <summary>
/// What the coordinator refused for good: another try would be refused too, and would hold up everything behind it. Each is kept in the agent's
/// home for whoever looks into it, the newest of them at least, and the next report counts them.
/// </summary>
public sealed class DeadLetters(string folder, AgentLog log)
{
    private const int MostKept = 50;
    private const int LongestReason = 300;
    private readonly Lock _gate = new();
    private long _count;
    private string _reason = "";

    /// <summary>What there is to report; null when there is nothing new.</summary>
    public RefusedLetters? Report
    {
        get
        {
            lock (_gate)
            {
                return _count == 0 ? null : new RefusedLetters(_count, _reason);
            }
        }
    }

    /// <summary>Sets one aside.</summary>
    /// <param name="kind">What it is: <c>metrics</c>, <c>logs</c>, <c>answer</c>.</param>
    /// <param name="letter">As it lay here to be sent; a batch as <see cref="BatchCodec"/> packs it, in whichever form it went out.</param>
    /// <param name="reason">What the coordinator said.</param>
    public void Add(string kind, ReadOnlyMemory<byte> letter, string reason)
    {
        lock (_gate)
        {
            _count++;
            _reason = OneLine($"{kind}: {reason}");
            try
            {
                Directory.CreateDirectory(folder);
                File.WriteAllBytes(Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{DateTime.UtcNow:yyyyMMdd-HHmmss-fffffff}-{kind}")), letter.Span);
                foreach (string old in Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).SkipLast(MostKept).ToList())
                {
                    File.Delete(old);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                log.Warn($"a refused batch could not be kept in {folder}: {e.Message}");
            }
        }

        log.Error($"{kind} were refused for good and set aside in {folder}: {reason}");
    }

    /// <summary>Words of others as a report may carry them: not long, and without what no page can show.</summary>
    public static string OneLine(string text) =>
        string.Concat(text.Take(LongestReason).Select(letter => char.IsControl(letter) || char.IsSurrogate(letter) || letter == '\uFFFD' ? '?' : letter));

    /// <summary>A report with this was answered: it need not be told again.</summary>
    public void Told(RefusedLetters? told)
    {
        lock (_gate)
        {
            _count -= told?.Count ?? 0;
        }
    }
}
