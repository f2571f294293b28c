using Hearth.Protocol;

namespace Hearth.Agent.Tests.Support;

/// <summary>All that a fake coordinator was told of one attempt.</summary>
internal sealed class FakeAttempt(Assignment assignment)
{
    private readonly Kept<AttemptReport> _reports = new();

    public Assignment Assignment => assignment;
    public Lease Lease => assignment.Lease;
    public Numbered<MetricsRequest> Metrics { get; } = new("metrics");
    public Numbered<LogsRequest> Logs { get; } = new("logs");
    public Kept<CheckpointCommit> Commits { get; } = new();
    public Kept<CheckpointProblem> Failed { get; } = new();
    public Kept<CheckpointProblem> Unreadable { get; } = new();
    public Kept<PreparedCommit> Prepared { get; } = new();
    public AttemptEnd? End { get; private set; }
    public int Ends { get; private set; }
    public bool Fenced { get; set; }
    public bool TellRevoked { get; set; }
    public int WritesAfterFence { get; set; }
    public IReadOnlyList<AttemptReport> Reports => _reports.All;
    public bool Seen => Reports.Count > 0 || End is not null;
    public IReadOnlyList<long> CommittedSteps => [.. Commits.All.Select(c => c.Manifest.Step)];
    public IReadOnlyList<string> LogTexts => [.. Logs.All.SelectMany(l => l.Lines).Select(l => l.Text)];
    public IReadOnlyList<SampleRecord> Samples => [.. Metrics.All.SelectMany(m => m.Samples)];

    /// <summary>The steps of one key in the order in which they came.</summary>
    public IReadOnlyList<long> Steps(string key) => [.. Metrics.All.SelectMany(m => m.Chunks).Where(c => c.Key == key).SelectMany(c => c.Steps)];

    public long LastStep => Steps("loss").LastOrDefault();

    public void Reported(AttemptReport report) => _reports.Add(report);

    public void Ended(AttemptEnd end)
    {
        End = end;
        Ends++;
    }

    public string Describe() =>
        $"{assignment.RunName}: {Reports.LastOrDefault()}, end {End}, loss to step {LastStep}, checkpoints {string.Join(' ', CommittedSteps)}, logs:\n  {string.Join("\n  ", LogTexts)}";
}

/// <summary>A list that one thread fills while another looks.</summary>
internal sealed class Kept<T>
{
    private readonly List<T> _all = [];

    public IReadOnlyList<T> All
    {
        get
        {
            lock (_all)
            {
                return [.. _all];
            }
        }
    }

    public string? Add(T item)
    {
        lock (_all)
        {
            _all.Add(item);
            return null;
        }
    }
}

/// <summary>Requests by sequence number: a repeat counts once, a gap is a violation.</summary>
internal sealed class Numbered<T>(string name)
{
    private readonly Kept<T> _all = new();
    private long _last;

    public IReadOnlyList<T> All => _all.All;

    /// <returns>What was wrong with it, or null.</returns>
    public string? Add(long sequence, T request)
    {
        if (sequence <= _last)
        {
            return null;
        }

        string? gap = sequence == _last + 1 ? null : $"{name} came with sequence {sequence} after {_last}";
        _last = sequence;
        _all.Add(request);
        return gap;
    }
}
