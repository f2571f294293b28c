namespace Hearth.Coordinator.Metrics.Storage;

/// <summary>A value of a series.</summary>
/// <param name="Step">Whose value it is.</param>
/// <param name="Time">Milliseconds since 1970, by the worker's clock.</param>
/// <param name="Value">Any bits, those of NaN too.</param>
/// <param name="Attempt">Number of the attempt that wrote it.</param>
public readonly record struct Point(long Step, long Time, float Value, int Attempt = 0);
