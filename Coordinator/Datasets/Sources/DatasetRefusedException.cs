using Hearth.Runs;

namespace Hearth.Coordinator.Datasets.Sources;

/// <summary>Input that cannot become a dataset.</summary>
public sealed class DatasetRefusedException(string field, string value, string allowed, string message) : Exception(message)
{
    public FieldError Error { get; } = new(field, value, allowed, message);
}
