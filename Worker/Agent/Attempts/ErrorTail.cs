namespace Hearth.Agent;

/// <summary>The last lines of a trainer's standard error: they often say why it died.</summary>
public sealed class ErrorTail
{
    private const int MostLines = 20;
    private const int LongestLine = 500;
    private readonly Queue<string> _lines = new();

    public void Add(string line)
    {
        lock (_lines)
        {
            _lines.Enqueue(line.Length > LongestLine ? line[..LongestLine] + "…" : line);
            while (_lines.Count > MostLines)
            {
                _lines.Dequeue();
            }
        }
    }

    public override string ToString()
    {
        lock (_lines)
        {
            return string.Join('\n', _lines);
        }
    }
}
