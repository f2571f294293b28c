using Hearth.Hardware;

namespace Hearth.Agent;

/// <summary>Finds the devices of one kind and reads them. Neither call throws for hardware that does not answer.</summary>
public interface IProbe : IDisposable
{
    /// <summary>Devices with their index within this probe; empty where there are none.</summary>
    IReadOnlyList<DeviceInfo> Devices();

    /// <summary>What each of them reads now, by the same index.</summary>
    IReadOnlyList<DeviceReading> Read();
}
