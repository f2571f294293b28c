using Hearth.Coordinator.Hosting;
using Hearth.Hardware;
using Hearth.Runs;

namespace Hearth.Coordinator.Runs;

/// <summary>What a list of devices must hold to be one: checked where a worker sends it, and again where it is read. Pure.</summary>
public static class DeviceListRules
{
    /// <summary>Devices of one worker.</summary>
    public const int Most = 64;

    /// <summary>Indices of devices.</summary>
    public const int LargestIndex = 1023;

    /// <summary>Characters of a model or an identity.</summary>
    public const int LongestName = 200;

    /// <summary>A pebibyte: more is a mistake of the probe.</summary>
    public const long MostBytes = 1L << 50;

    /// <summary>Every error of a list; empty when it is one.</summary>
    /// <param name="devices">As sent; null and null entries are errors like others.</param>
    public static IReadOnlyList<FieldError> Check(IReadOnlyList<DeviceInfo?>? devices)
    {
        if (devices is null)
        {
            return [FieldError.Of("devices", "null", $"a list of at most {Most} devices")];
        }

        if (devices.Count > Most)
        {
            return [FieldError.Of("devices", $"{Words.Number(devices.Count)} entries", $"at most {Most}")];
        }

        var errors = new List<FieldError>();
        var taken = new HashSet<int>();
        for (int i = 0; i < devices.Count; i++)
        {
            errors.AddRange(Check($"devices[{i}]", devices[i], taken));
        }

        return errors;
    }

    private static IEnumerable<FieldError> Check(string field, DeviceInfo? device, HashSet<int> taken)
    {
        if (device is null)
        {
            yield return FieldError.Of(field, "null", "a device");
            yield break;
        }

        if (device.Index is < 0 or > LargestIndex)
        {
            yield return FieldError.Of($"{field}.index", Words.Number(device.Index), $"0 to {Words.Number(LargestIndex)}");
        }
        else if (!taken.Add(device.Index))
        {
            yield return FieldError.Of($"{field}.index", Words.Number(device.Index), "an index that no other device of the list has");
        }

        if (device.MemoryBytes is < 0 or > MostBytes)
        {
            yield return FieldError.Of($"{field}.memory_bytes", Words.Number(device.MemoryBytes), $"0 to {Words.Number(MostBytes)}");
        }

        foreach (var (name, text) in new[] { ("model", device.Model), ("uuid", device.Uuid), ("capability", device.Capability) })
        {
            if (TextRules.Name($"{field}.{name}", text, LongestName) is { } error)
            {
                yield return error;
            }
        }
    }
}
