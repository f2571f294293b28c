namespace Hearth.Kernels.Checks;

/// <summary>Something that must hold on a device.</summary>
/// <param name="Name">What is compared.</param>
/// <param name="Difference">
/// The largest difference found, relative to 1 + |v|, or to the result's largest value where the bound is one of <see cref="RoundingBounds"/>; 0 where bits
/// must be equal and are.
/// </param>
/// <param name="Allowed">Above this the check fails.</param>
public sealed record KernelCheck(string Name, Func<double> Difference, double Allowed = 0);

/// <summary>A time for the log, which decides nothing.</summary>
/// <param name="Name">What was timed.</param>
/// <param name="Milliseconds">Of one run.</param>
public sealed record KernelTime(string Name, double Milliseconds);
