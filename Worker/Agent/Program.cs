using Hearth;
using Hearth.Agent;

const int Refused = 3;
const int NoRoom = 1;
const int WrongUse = 2;
if (args is ["help" or "--help" or "-h"])
{
    Console.WriteLine(AgentOptions.Usage);
    return 0;
}

try
{
    var options = AgentOptions.Parse(args, Environment.GetEnvironmentVariable);
    if (options.ProbeOnly)
    {
        AgentHost.PrintDevices(options);
    }
    else
    {
        await AgentHost.RunAsync(options, new AgentLog(Console.Error));
    }

    return 0;
}
catch (UsageException e)
{
    Console.Error.WriteLine($"hearth-agent: {e.Message}");
    return WrongUse;
}
catch (RefusedException e)
{
    Console.Error.WriteLine($"hearth-agent: {e.Message}");
    return Refused;
}
catch (IOException e) when (DiskSpace.RanOut(e))
{
    // Whoever supervises it tries again, and by then there may be room.
    new AgentLog(Console.Error).Error($"hearth-agent: the disk is full: {e.Message}");
    return NoRoom;
}
