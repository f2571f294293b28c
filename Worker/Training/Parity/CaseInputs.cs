using System.Text.Json;
using Hearth.Kernels;
using static TorchSharp.torch;

namespace Hearth.Training.Parity;

/// <summary>One result of a parity case.</summary>
/// <param name="Kind">Under which its largest difference is reported; <c>greedy</c> and <c>drafts</c> must be equal.</param>
/// <param name="Name">The tensor of the case file that it is compared with.</param>
internal sealed record CaseResult(string Kind, string Name, Tensor Value);

/// <summary>A parity case file as a family's adapter reads it.</summary>
/// <param name="metadata">The file's <c>case</c> description.</param>
internal sealed class CaseInputs(SafetensorsReader file, JsonElement metadata, ScalarType dtype, Device device)
{
    public JsonElement Metadata { get; } = metadata;

    public bool Contains(string name) => file.Contains(name);

    public long[] Shape(string name) => file.Entries.First(e => e.Name == name).Shape;

    /// <summary>A whole-number tensor as int64 on the model's device.</summary>
    public Tensor Ids(string name) => file.Read(name).to(int64).to(device);

    /// <summary>A real tensor in the model's type on its device.</summary>
    public Tensor Real(string name) => file.Read(name).to(dtype).to(device);
}
