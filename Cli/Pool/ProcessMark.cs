using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Hearth.Cli.Pool;

/// <summary>A process by id and start time, since ids are used again.</summary>
internal sealed record ProcessMark(int Id, DateTime StartedUtc)
{
    // The start time is computed from the clock and the time since boot, so two readers may differ a little.
    private static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(2);

    public static ProcessMark Of(Process process) => new(process.Id, process.StartTime.ToUniversalTime());

    /// <summary>The live process of that id, or null. One that has ended and waits to be collected is not live.</summary>
    public static ProcessMark? Read(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            return IsZombie(id) ? null : Of(process);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or Win32Exception)
        {
            return null;
        }
    }

    public bool IsAlive() => Read(Id) is { } now && IsSame(now);

    /// <summary>False when another process has taken the id since.</summary>
    public bool IsSame(ProcessMark other) => Id == other.Id && (StartedUtc - other.StartedUtc).Duration() < Tolerance;

    private static bool IsZombie(int id)
    {
        try
        {
            // "pid (name) state ...": the name may hold anything, so the state is what follows the last parenthesis.
            string stat = File.ReadAllText($"/proc/{id}/stat");
            return stat[stat.LastIndexOf(')')..] is [_, _, 'Z' or 'X', ..];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}

/// <summary>Signals to processes that need not be children.</summary>
internal static partial class Signals
{
    public const int Interrupt = 2;
    public const int Quit = 3;
    public const int Kill = 9;
    public const int Terminate = 15;
    public const int Thaw = 18;
    public const int Freeze = 19;
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(25);

    /// <summary>Sends a signal; a process that is gone is left alone.</summary>
    public static void Send(ProcessMark process, int signal)
    {
        if (process.IsAlive())
        {
            SendRaw(process.Id, signal);
        }
    }

    /// <summary>Asks a process to end, waits, and kills it when the grace is over.</summary>
    /// <returns>True when it ended by itself.</returns>
    public static async Task<bool> StopAsync(ProcessMark process, int signal, TimeSpan grace)
    {
        Send(process, signal);
        if (await WaitForEndAsync(process, grace))
        {
            return true;
        }

        Send(process, Kill);
        await WaitForEndAsync(process, TimeSpan.FromSeconds(10));
        return false;
    }

    private static async Task<bool> WaitForEndAsync(ProcessMark process, TimeSpan limit)
    {
        long began = Stopwatch.GetTimestamp();
        while (process.IsAlive())
        {
            if (Stopwatch.GetElapsedTime(began) > limit)
            {
                return false;
            }

            await Task.Delay(Look);
        }

        return true;
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendRaw(int id, int signal);
}
