using Hearth.Coordinator.Hosting;

namespace Hearth.Coordinator.Jobs;

/// <param name="Dashboard"><c>HEARTH_JOBS_DASHBOARD</c>: whether admins see Hangfire's own pages at <c>/hangfire</c>.</param>
public sealed record JobSettings(bool Dashboard)
{
    /// <exception cref="InvalidOperationException">A setting is wrong.</exception>
    public static JobSettings Read(IConfiguration settings) => new(CoordinatorOptions.ReadSwitch(settings, "HEARTH_JOBS_DASHBOARD"));
}
