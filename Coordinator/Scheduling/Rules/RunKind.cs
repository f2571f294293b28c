namespace Hearth.Coordinator.Scheduling.Rules;

/// <summary>A class of devices that holds a kind of run, and how.</summary>
internal readonly record struct Fitting(Lane Lane, Need Need);

/// <summary>Runs that are alike to the rules but for their priority and age, while one plan is made.</summary>
internal sealed class RunKind
{
    private int _first;
    private string? _whyNot;

    internal RunKind(RunNeeds needs, string devices, IReadOnlyList<Lane> allowed)
    {
        (Needs, Devices, Allowed) = (needs, devices, allowed);
        var fits = allowed.Select(l => new Fitting(l, needs.On(l.Class))).Where(f => f.Need.Fits).ToList();
        fits.Sort(Fit.Prefers);
        Fits = fits;
    }

    internal RunNeeds Needs { get; }

    /// <summary>As <see cref="QueuedRun.Devices"/>.</summary>
    internal string Devices { get; }

    internal IReadOnlyList<Lane> Allowed { get; }

    /// <summary>Those of the allowed that hold it, best first.</summary>
    internal IReadOnlyList<Fitting> Fits { get; }

    /// <summary>Nobody gives way to it any more in this plan.</summary>
    internal bool NobodyGivesWay { get; set; }

    /// <summary><see cref="Fits"/> from the first that has a free device.</summary>
    internal IEnumerable<Fitting> WithFree()
    {
        while (_first < Fits.Count && Fits[_first].Lane.Free is null)
        {
            _first++;
        }

        return Fits.Skip(_first);
    }

    internal string WhyNot(Board board) => _whyNot ??= Reasons.Why(this, board);
}
