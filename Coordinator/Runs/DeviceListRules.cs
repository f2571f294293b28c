using System.Text;
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
            return [Refuse("devices", "null", $"a list of at most {Most} devices")];
        }

        if (devices.Count > Most)
        {
            return [Refuse("devices", $"{Words.Number(devices.Count)} entries", $"at most {Most}")];
        }

        var errors = new List<FieldError>();
        var taken = new HashSet<int>();
        for (int i = 0; i < devices.Count; i++)
        {
            errors.AddRange(Check($"devices[{i}]", devices[i], taken));
        }

        return errors;
    }

    /// <summary>The error of a short text that is stored and shown as it is: too long, or with characters that no name has.</summary>
    public static FieldError? Name(string field, string? text, int longest)
    {
        string allowed = $"at most {longest} characters, none of them a control character";
        return text is null ? Refuse(field, "null", allowed)
            : text.Length > longest ? Refuse(field, $"{Words.Number(text.Length)} characters long", allowed)
            : text.Any(char.IsControl) || text.EnumerateRunes().Contains(Rune.ReplacementChar) ? Refuse(field, "a text with control characters or broken ones", allowed)
            : null;
    }

    private static IEnumerable<FieldError> Check(string field, DeviceInfo? device, HashSet<int> taken)
    {
        if (device is null)
        {
            yield return Refuse(field, "null", "a device");
            yield break;
        }

        if (device.Index is < 0 or > LargestIndex)
        {
            yield return Refuse($"{field}.index", Words.Number(device.Index), $"0 to {Words.Number(LargestIndex)}");
        }
        else if (!taken.Add(device.Index))
        {
            yield return Refuse($"{field}.index", Words.Number(device.Index), "an index that no other device of the list has");
        }

        if (device.MemoryBytes is < 0 or > MostBytes)
        {
            yield return Refuse($"{field}.memory_bytes", Words.Number(device.MemoryBytes), $"0 to {Words.Number(MostBytes)}");
        }

        foreach (var (name, text) in new[] { ("model", device.Model), ("uuid", device.Uuid), ("capability", device.Capability) })
        {
            if (Name($"{field}.{name}", text, LongestName) is { } error)
            {
                yield return error;
            }
        }
    }

    private static FieldError Refuse(string field, string value, string allowed) => new(field, value, allowed, $"{field} is {value}. Allowed: {allowed}.");
}
