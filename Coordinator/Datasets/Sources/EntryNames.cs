using System.Text;

namespace Hearth.Coordinator.Datasets.Sources;

/// <summary>Which names of archive entries are taken. Nothing is unpacked under its name, but a name that tries to leave its folder is no text's. Pure.</summary>
public static class EntryNames
{
    private const int Longest = 1024;

    /// <summary>Why an entry of this name is left out, in a few words; null = it is taken.</summary>
    public static string? Refusal(string name) =>
        name.Length == 0 ? "no name"
        : name.Length > Longest ? $"name over {Longest} letters"
        : name.Any(char.IsControl) || name.EnumerateRunes().Contains(Rune.ReplacementChar) ? "name with control or broken characters"
        : name[0] is '/' or '\\' || (name.Length > 1 && name[1] == ':' && char.IsAsciiLetter(name[0])) ? "absolute path"
        : name.Split('/', '\\').Contains("..") ? "path that climbs"
        : null;
}
