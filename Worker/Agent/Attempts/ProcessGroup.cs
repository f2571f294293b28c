using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Hearth.Agent;

/// <summary>A process by id and start time, since ids are used again.</summary>
public sealed record ProcessMark(int Id, DateTime StartedUtc);

/// <summary>
/// A trainer leads a session of its own, so that a Ctrl-C at the agent's terminal reaches the agent alone, and all that the trainer
/// started can be killed with it.
/// </summary>
public static partial class ProcessGroup
{
    private const int SigKill = 9;
    private static readonly string? SetSid = new[] { "/usr/bin/setsid", "/bin/setsid" }.FirstOrDefault(File.Exists);

    /// <summary>The command that runs <paramref name="command"/> as leader of a session; the process id stays the same.</summary>
    public static TrainerCommandLine Lead(TrainerCommandLine command) =>
        SetSid is null ? command : new TrainerCommandLine(SetSid, [command.Program, .. command.Arguments]);

    /// <summary>Kills a process, its group and its descendants; one that has ended is no error.</summary>
    public static void Kill(Process process)
    {
        try
        {
            if (!OperatingSystem.IsWindows())
            {
                // Fails harmlessly in the instant before the child has its own group.
                _ = Kill(-process.Id, SigKill);
            }

            process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception or AggregateException)
        {
            // Ended already, or ending.
        }
    }

    public static ProcessMark Mark(Process process) => new(process.Id, process.StartTime.ToUniversalTime());

    /// <summary>The marked process if it is still that one, else null.</summary>
    public static Process? Find(ProcessMark mark)
    {
        Process? process = null;
        try
        {
            process = Process.GetProcessById(mark.Id);
            if (Math.Abs((process.StartTime.ToUniversalTime() - mark.StartedUtc).TotalSeconds) < 1)
            {
                return process;
            }
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or Win32Exception)
        {
            // It has ended.
        }

        process?.Dispose();
        return null;
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
