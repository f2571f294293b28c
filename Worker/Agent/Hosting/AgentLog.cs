namespace Hearth.Agent;

/// <summary>Lines for people on standard error: local time, level, text. A line that cannot be written is no fault of whoever tells it.</summary>
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
            try
            {
                writer.WriteLine($"{DateTime.Now:HH:mm:ss.fff} {level} {text}");
                writer.Flush();
            }
            catch (IOException)
            {
                // Its file may lie on the disk that ran full, which is what most needs telling: a line is lost, and nothing of the work.
            }
        }
    }
}
