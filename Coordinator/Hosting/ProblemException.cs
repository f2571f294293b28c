namespace Hearth.Coordinator.Hosting;

/// <summary>An outage that no route deals with by itself: whoever asked is told of it, as problem+json under the exception's own status.</summary>
/// <param name="status">Of HTTP.</param>
/// <param name="message">What the caller is told.</param>
/// <param name="inner">What it came of.</param>
public abstract class ProblemException(int status, string message, Exception? inner = null) : Exception(message, inner)
{
    public int Status => status;
}
