using Hearth.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Training.Checkpoints;

/// <summary>Loads a safetensors file into tensors that exist already: one tensor at a time, so nothing is held twice.</summary>
public static class TensorFile
{
    /// <param name="path">The file.</param>
    /// <param name="targets">Every tensor of the file, by name.</param>
    /// <param name="convert">Whether real values of another precision are taken, rounded to the target's.</param>
    /// <exception cref="BadInputException">A name is missing, left over, or of another shape or type; the message names it.</exception>
    public static void Load(string path, IReadOnlyList<(string Name, Tensor Value)> targets, bool convert = false)
    {
        using var file = SafetensorsReader.Open(path);
        using var noGrad = torch.no_grad();
        var entries = file.Entries.ToDictionary(e => e.Name, StringComparer.Ordinal);
        foreach (var (name, target) in targets)
        {
            if (!entries.Remove(name, out var entry))
            {
                throw new BadInputException($"{path} has no tensor {name}: it is a checkpoint of another model or optimizer.");
            }

            if (!entry.Shape.SequenceEqual(target.shape) || !(entry.Type == target.dtype || (convert && IsReal(entry.Type))))
            {
                throw new BadInputException($"{path}: {name} is {entry.Type} [{string.Join(", ", entry.Shape)}]; the run's is {target.dtype} [{string.Join(", ", target.shape)}].");
            }

            using var scope = torch.NewDisposeScope();
            target.copy_(file.Read(name));
        }

        if (entries.Count > 0)
        {
            throw new BadInputException($"{path} has a tensor {entries.Keys.First()} that the run's model or optimizer has not.");
        }
    }

    /// <summary>Whether weights may be stored in a type.</summary>
    internal static bool IsReal(ScalarType type) => type is ScalarType.Float64 or ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16;
}
