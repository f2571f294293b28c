using Hearth.Cli.Client;

namespace Hearth.Cli;

/// <summary>Exit codes of <c>hearth</c>.</summary>
internal static class ExitCodes
{
    public const int Done = 0;

    /// <summary>What was asked for did not come about.</summary>
    public const int Failed = 1;

    /// <summary>Something given is wrong; the message names it.</summary>
    public const int BadInput = 2;

    /// <summary>No coordinator answered.</summary>
    public const int Unreachable = 3;

    /// <summary>The token is missing, unknown or not allowed to do this.</summary>
    public const int NotAllowed = 4;
}

/// <summary>Ends a command with one line for people.</summary>
internal sealed class CliException(string message, int exitCode = ExitCodes.Failed) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
}

/// <summary>The outermost catch of a command: what it could not do becomes lines on standard error and an exit code.</summary>
internal static class Guard
{
    public static async Task<int> RunAsync(Func<Task<int>> body)
    {
        try
        {
            return await body();
        }
        catch (ApiException e)
        {
            foreach (string line in e.Lines)
            {
                await Console.Error.WriteLineAsync(line);
            }

            return e.ExitCode;
        }
        catch (CliException e)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return e.ExitCode;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("Stopped.");
            return ExitCodes.Failed;
        }
    }
}
