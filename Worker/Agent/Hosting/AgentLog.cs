namespace Hearth.Agent;

/// <summary>Lines for people on standard error: local time, level, text.</summary>
public sealed class AgentLog(TextWriter writer)
{
    private readonly Lock _gate = new();

    public void Info(string text) => Write("info ", text);

    public void Warn(string text) => Write("warn ", text);

    public void Error(string text) => Write("error", text);

    private void Write(string level, string text)
    {
        lock (_gate)
        {
            writer.WriteLine($"{DateTime.Now:HH:mm:ss.fff} {level} {text}");
            writer.Flush();
        }
    }
}
