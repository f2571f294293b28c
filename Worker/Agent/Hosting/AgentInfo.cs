using System.Reflection;

namespace Hearth.Agent;

/// <summary>What the agent says of itself.</summary>
public static class AgentInfo
{
    public static string Version { get; } =
        typeof(AgentInfo).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    /// <summary>Name of this machine, at most 64 characters.</summary>
    public static string Host { get; } = Environment.MachineName.Length > 64 ? Environment.MachineName[..64] : Environment.MachineName;
}
