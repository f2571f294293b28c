using Hearth.Hardware;

namespace Hearth.Agent;

/// <summary>The devices that this agent offers: every GPU, or the CPU where there is none, less what <c>--devices</c> leaves out.</summary>
public sealed class DeviceSet : IDisposable
{
    private readonly IReadOnlyList<(IProbe Probe, int First)> _probes;
    private readonly HashSet<int> _offered;

    /// <exception cref="UsageException">The simulated file cannot be used, or <c>--devices</c> names what is not there.</exception>
    public DeviceSet(AgentOptions options)
    {
        var all = new List<DeviceInfo>();
        var probes = new List<(IProbe, int)>();
        foreach (var probe in Open(options.Probe))
        {
            var found = probe.Devices();
            probes.Add((probe, all.Count));
            all.AddRange(found.Select(d => d with { Index = all.Count + d.Index }).ToList());
        }

        _probes = probes;
        if (options.Devices is { } chosen && chosen.FirstOrDefault(c => all.All(d => d.Index != c), -1) is >= 0 and var missing)
        {
            throw new UsageException($"--devices names {missing}. Allowed: {string.Join(", ", all.Select(d => $"{d.Index} ({d.Model})"))}.");
        }

        All = [.. all.Where(d => options.Devices is null || options.Devices.Contains(d.Index))];
        _offered = [.. All.Select(d => d.Index)];
    }

    public IReadOnlyList<DeviceInfo> All { get; }

    public IReadOnlyList<DeviceReading> Read() =>
        [.. _probes.SelectMany(p => p.Probe.Read().Select(r => r with { Index = p.First + r.Index })).Where(r => _offered.Contains(r.Index))];

    public void Dispose()
    {
        foreach (var (probe, _) in _probes)
        {
            probe.Dispose();
        }
    }

    private static IReadOnlyList<IProbe> Open(string probe)
    {
        const string Simulated = "simulated:";
        if (probe.StartsWith(Simulated, StringComparison.Ordinal))
        {
            return [SimulatedProbe.Open(probe[Simulated.Length..])];
        }

        if (probe == "cpu")
        {
            return [new CpuProbe()];
        }

        var cards = new List<IProbe>();
        if (NvmlProbe.TryOpen() is { } nvidia)
        {
            cards.Add(nvidia);
        }

        cards.Add(new AmdProbe(AmdProbe.SystemPath));
        return cards.Any(c => c.Devices().Count > 0) ? cards : [new CpuProbe()];
    }
}
