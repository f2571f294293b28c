using System.CommandLine;
using System.Runtime.InteropServices;

namespace Hearth.Cli.Pool;

/// <summary><c>up</c>: a pool on this machine, until Ctrl-C.</summary>
internal static class UpCommand
{
    public static Command Create()
    {
        var data = new Option<string>("--data") { Description = "Folder of everything that is kept.", DefaultValueFactory = _ => PoolFolder.DefaultPath }.NotEmpty("the path of a folder");
        var port = Given.Number("--port", "Port of the coordinator and its dashboard.", PoolOptions.DefaultPort, 1, 65_535);
        var listen = new Option<string>("--listen") { Description = "Address to listen on; 127.0.0.1 keeps other machines out.", DefaultValueFactory = _ => "0.0.0.0" };
        listen.Validators.Add(r =>
        {
            if (!System.Net.IPAddress.TryParse(r.GetValueOrDefault<string>(), out _))
            {
                r.AddError($"--listen is {r.GetValueOrDefault<string>()}. Allowed: an address of this machine, such as 0.0.0.0 or 127.0.0.1.");
            }
        });
        var name = new Option<string>("--name") { Description = "Name of this machine in the pool.", DefaultValueFactory = _ => Environment.MachineName };
        var threads = Given.Number("--threads", "Compute threads of each trainer; 0 leaves it to the agent.", 0, 0, 1024);
        var command = new Command("up", "Start a pool here: PostgreSQL, coordinator, dashboard, and a worker with every device.") { data, port, listen, name, threads };
        command.SetAction((parsed, stop) => Guard.RunAsync(() => RunAsync(
            new PoolOptions
            {
                DataPath = parsed.GetValue(data)!,
                Port = parsed.GetValue(port),
                Listen = parsed.GetValue(listen)!,
                WorkerName = parsed.GetValue(name)!,
                Threads = parsed.GetValue(threads),
            },
            stop)));
        return command;
    }

    /// <summary>Ends when the token is cancelled, without an exception.</summary>
    public static async Task WaitForStopAsync(CancellationToken stop)
    {
        var stopped = new TaskCompletionSource();
        await using var registration = stop.Register(stopped.SetResult);
        await stopped.Task;
    }

    private static async Task<int> RunAsync(PoolOptions options, CancellationToken stop)
    {
        // A closed terminal is a stop as well; the children are in sessions of their own and would stay.
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(stop);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true;
            stopping.Cancel();
        });
        await using var pool = await LocalPool.StartAsync(options, Console.WriteLine, stopping.Token);
        Console.WriteLine($"The pool is up: {pool.Address}");
        foreach (var device in pool.Worker.Devices)
        {
            Console.WriteLine($"  {device.Name}  {device.Info.Model}, {Text.Gigabytes(device.Info.MemoryBytes)}");
        }

        if (pool.IsFirstStart)
        {
            Console.WriteLine($"Sign in with this token; it is shown once: {pool.AdminToken}");
        }

        Console.WriteLine("Ctrl-C stops everything; running training is checkpointed first.");
        await WaitForStopAsync(stopping.Token);
        Console.WriteLine("Stopping in order: worker, coordinator, database.");
        await pool.StopAsync();
        Console.WriteLine("Stopped.");
        return ExitCodes.Done;
    }
}
