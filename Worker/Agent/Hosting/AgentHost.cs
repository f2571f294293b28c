using System.Runtime.InteropServices;
using System.Text.Json;

namespace Hearth.Agent;

/// <summary>Puts the agent together and runs it until a signal.</summary>
public static class AgentHost
{
    /// <exception cref="UsageException">A wrong option, a home in use, no trainer.</exception>
    /// <exception cref="RefusedException">The coordinator refuses the code or the token.</exception>
    public static async Task RunAsync(AgentOptions options, AgentLog log)
    {
        var command = TrainerCommandLine.Find(options.TrainerPath);
        var timings = new AgentTimings();
        using var home = new AgentHome(options.HomePath);
        using var devices = new DeviceSet(options);
        using var leave = new CancellationTokenSource();
        using var signals = new LeaveSignals(leave);
        try
        {
            home.ClearLeftovers(log);
            var identity = await Joining.IdentityAsync(options, home, devices.All, timings, log, leave.Token);
            using var client = new CoordinatorClient(identity.Coordinator, identity.Token);
            using var blobs = new BlobStore(home.CachePath, identity.Coordinator, timings);
            log.Info($"{identity.Name} works for {identity.Coordinator} with {string.Join(", ", devices.All.Select(d => $"{d.Index} {d.Model}"))}");
            await new AgentLoop(new AttemptServices(client, blobs, home, options, timings, log, new DeadLetters(home.RefusedPath, log)), devices, command).RunAsync(leave.Token);
            log.Info("left");
        }
        catch (OperationCanceledException) when (leave.IsCancellationRequested)
        {
            log.Info("left before joining");
        }
    }

    /// <summary>Prints the devices and one reading of each.</summary>
    public static void PrintDevices(AgentOptions options)
    {
        using var devices = new DeviceSet(options);
        Console.WriteLine(JsonSerializer.Serialize(new { Devices = devices.All, Readings = devices.Read() }, Json.Pretty));
    }

    /// <summary>SIGTERM and Ctrl-C ask to leave; a second one ends the process as it would without us.</summary>
    private sealed class LeaveSignals : IDisposable
    {
        private readonly List<PosixSignalRegistration> _registrations = [];

        public LeaveSignals(CancellationTokenSource leave)
        {
            foreach (var signal in (PosixSignal[])[PosixSignal.SIGTERM, PosixSignal.SIGINT])
            {
                _registrations.Add(PosixSignalRegistration.Create(signal, context =>
                {
                    context.Cancel = !leave.IsCancellationRequested;
                    leave.Cancel();
                }));
            }
        }

        public void Dispose() => _registrations.ForEach(r => r.Dispose());
    }
}
