using System.Globalization;

namespace Hearth.Agent;

/// <summary>
/// How many processes the kernel has killed since memory ran out: those of the agent's own control group, in which its trainers are too, where
/// the kernel counts by group; else all of the machine.
/// </summary>
/// <param name="root">Above <c>proc</c> and <c>sys</c>.</param>
public sealed class OomKills(string root = "/")
{
    private const string Name = "oom_kill";

    /// <summary>Until now; null where the system does not tell.</summary>
    public long? Read()
    {
        try
        {
            return Files().Where(File.Exists).Select(Count).FirstOrDefault(count => count is not null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return null;
        }
    }

    // From the closest to what happened to the farthest: cgroup v2 (memory.events), cgroup v1 (memory.oom_control), the machine (vmstat); docs of the kernel.
    private IEnumerable<string> Files()
    {
        string groups = Path.Combine(root, "proc/self/cgroup"), mounts = Path.Combine(root, "sys/fs/cgroup");
        foreach (string[] group in File.Exists(groups) ? File.ReadAllLines(groups).Select(line => line.Split(':', 3)) : [])
        {
            // In a container the path may be the host's while the group is mounted as the root.
            foreach (string path in group is [_, _, var given] ? new[] { given.TrimStart('/'), "" } : [])
            {
                if (group[1].Length == 0)
                {
                    yield return Path.Combine(mounts, path, "memory.events");
                }
                else if (group[1].Split(',').Contains("memory"))
                {
                    yield return Path.Combine(mounts, "memory", path, "memory.oom_control");
                }
            }
        }

        yield return Path.Combine(root, "proc/vmstat");
    }

    private static long? Count(string file) => File.ReadLines(file).Select(line => line.Split(' ')).FirstOrDefault(words => words is [Name, _]) is [_, var number]
        ? long.Parse(number, CultureInfo.InvariantCulture)
        : null;
}
