using System.Globalization;
using Hearth.Hardware;

namespace Hearth.Agent;

/// <summary>AMD cards as the amdgpu driver shows them under <c>/sys/class/drm</c>. Source: the kernel's amdgpu documentation, "GPU Power/Thermal Controls and Monitoring".</summary>
/// <param name="root">That folder; tests give one of their own.</param>
public sealed class AmdProbe(string root) : IProbe
{
    public const string SystemPath = "/sys/class/drm";
    private const string AmdVendor = "0x1002";

    // Less memory than this is a processor's own graphics, which no run fits into.
    private const long LeastBytes = 2L << 30;
    private readonly IReadOnlyList<(string Path, long Bytes)> _cards = Find(root);

    public IReadOnlyList<DeviceInfo> Devices() =>
        [.. _cards.Select((c, i) => new DeviceInfo(i, DeviceKind.Rocm, Text(c.Path, "product_name") ?? $"AMD GPU {Text(c.Path, "device")}", Identity(c.Path), c.Bytes))];

    public IReadOnlyList<DeviceReading> Read() =>
        [.. _cards.Select((c, i) =>
        {
            string sensors = Sensors(c.Path);
            return new DeviceReading(
                i,
                Number(c.Path, "mem_info_vram_used"),
                Number(c.Path, "gpu_busy_percent"),
                (Number(sensors, "power1_average") ?? Number(sensors, "power1_input")) / 1e6,
                Number(sensors, "power1_cap") / 1e6,
                Number(sensors, "temp1_input") / 1e3);
        })];

    public void Dispose()
    {
    }

    private static List<(string Path, long Bytes)> Find(string root)
    {
        if (!Directory.Exists(root))
        {
            return [];
        }

        // "card0" is a card, "card0-DP-1" one of its sockets.
        return [.. Directory.EnumerateDirectories(root, "card*")
            .Where(d => Path.GetFileName(d)[4..].All(char.IsAsciiDigit))
            .OrderBy(d => int.Parse(Path.GetFileName(d)[4..], CultureInfo.InvariantCulture))
            .Select(d => Path.Combine(d, "device"))
            .Where(d => Text(d, "vendor") == AmdVendor)
            .Select(d => (d, Bytes: Number(d, "mem_info_vram_total") ?? 0))
            .Where(c => c.Bytes >= LeastBytes)];
    }

    private static string Identity(string card) =>
        Text(card, "unique_id") is { Length: > 0 } id ? "AMD-" + id : "AMD-" + Path.GetFileName(Path.GetDirectoryName(card));

    private static string Sensors(string card)
    {
        string all = Path.Combine(card, "hwmon");
        return Directory.Exists(all) ? Directory.EnumerateDirectories(all).Order(StringComparer.Ordinal).FirstOrDefault() ?? card : card;
    }

    private static long? Number(string folder, string name) =>
        long.TryParse(Text(folder, name), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) ? value : null;

    private static string? Text(string folder, string name)
    {
        try
        {
            string path = Path.Combine(folder, name);
            return File.Exists(path) ? File.ReadAllText(path).Trim() : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A card that sleeps answers some of its files with an error.
            return null;
        }
    }
}
