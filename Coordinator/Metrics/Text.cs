namespace Hearth.Coordinator.Metrics;

/// <summary>Text from outside as PostgreSQL can hold it.</summary>
internal static class Text
{
    /// <summary>PostgreSQL's text has no NUL; it becomes the replacement character, as a decoder would write it.</summary>
    public static string Storable(string text) => text.Replace('\0', '\uFFFD');
}
