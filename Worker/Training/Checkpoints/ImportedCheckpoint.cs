using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Models;
using Hearth.Runs;
using Hearth.Kernels;
using Hearth.Training.Optim;
using static TorchSharp.torch;

namespace Hearth.Training.Checkpoints;

/// <summary>A checkpoint of step 0 out of weights from elsewhere: the optimizer is at its start, an average starts at the weights.</summary>
public static class ImportedCheckpoint
{
    private const int MostNamed = 5;

    /// <summary>The run spec that a model is imported under where none is given: every default, for the model and its tokenizer.</summary>
    public static RunSpec DefaultSpec(LanguageModel model) => new()
    {
        Name = "imported",
        Model = new ModelSpec { Family = model.Plan.Family, Size = model.Plan.Size, Overrides = Differences(model.Plan) },
        Data = new DataSpec { Dataset = "imported", SeqLen = Math.Min(new DataSpec { Dataset = "" }.SeqLen, model.Plan.MaxSeqLen) },
        Train = new TrainSpec { Precision = model.Dtype == float64 ? "fp64" : "fp32" },
    };

    /// <summary>Writes the checkpoint into a folder that is new or empty.</summary>
    /// <param name="trained">Model, on the CPU, and tokenizer.</param>
    /// <param name="folder">Becomes the checkpoint's folder.</param>
    /// <param name="spec">The run that is to go on from it.</param>
    /// <exception cref="BadInputException">The folder holds something, or the spec is of another model.</exception>
    public static void Write(TrainedModel trained, string folder, RunSpec spec)
    {
        using var scope = NewDisposeScope();
        var (model, tokenizer) = trained;
        PublishedFolder.CheckEmpty(folder);
        var errors = new List<FieldError>();
        var plan = Families.Plan(spec.Model, errors) ?? throw new BadInputException(string.Join(" ", errors.Select(e => e.Message)));
        if (plan.Family != model.Plan.Family || !JsonNode.DeepEquals(plan.Config, model.Plan.Config))
        {
            throw new BadInputException($"The run's model is {plan.Title} {plan.Config.ToJsonString()}; the imported one is {model.Plan.Title} {model.Plan.Config.ToJsonString()}. Allowed: the same.");
        }

        model = AsKept(model, plan.Under(spec.Train, spec.Optimizer), spec.Train);
        using var optimizer = Optimizer.Create(model, spec.Optimizer);
        using var average = spec.Optimizer.Averages ? new Ema(model, spec.Optimizer) : null;
        var state = new TrainState { Seed = spec.Train.Seed, Threads = get_num_threads(), MicroBatch = spec.Train.MicroBatch, Precision = spec.Train.Precision };
        var content = new CheckpointContent(
            state,
            JsonSerializer.SerializeToUtf8Bytes(new CheckpointConfig { Model = plan.Config, Run = spec }, Json.Pretty),
            tokenizer,
            stream => SafetensorsWriter.Write(stream, [.. model.NamedParameters.Select(p => (p.Name, p.Value.detach()))]),
            stream => SafetensorsWriter.Write(stream, optimizer.State),
            average is null ? null : stream => SafetensorsWriter.Write(stream, average.State),
            PauseSeconds: 0);
        string path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        CheckpointFolder.WriteTo(path, content.Files, content.Manifest);
    }

    /// <summary>Tensors with values that are no finite number, as a warning; null where there are none.</summary>
    public static string? NotFinite(LanguageModel model)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var all = model.NamedParameters.ToList();
        var bad = all.Select(p => (p.Name, Wrong: p.Value.isfinite().eq(0).sum().item<long>(), Of: p.Value.numel())).Where(p => p.Wrong > 0).ToList();
        string shown = string.Join(", ", bad.Take(MostNamed).Select(b => $"{b.Name} ({b.Wrong} of {b.Of})"));
        return bad.Count == 0 ? null
            : $"{bad.Count} of {all.Count} tensors have values that are not finite: {shown}{(bad.Count > MostNamed ? ", …" : "")}. A run from here skips every step that reads them.";
    }

    // The weights in the types that the run keeps them in: some in bf16 alone where it has no masters.
    private static LanguageModel AsKept(LanguageModel model, ModelPlan plan, TrainSpec train)
    {
        if (train.Master != "none")
        {
            return model;
        }

        using var quiet = no_grad();
        var kept = plan.Build(model.Dtype, CPU, seed: null, bfloat16);
        foreach (var (name, parameter) in kept.NamedParameters)
        {
            parameter.copy_(model.Weight(name));
        }

        return kept;
    }

    // Fields in which the model differs from its size.
    private static Dictionary<string, JsonElement> Differences(ModelPlan plan)
    {
        var preset = Families.Plan(new ModelSpec { Family = plan.Family, Size = plan.Size }, [])!;
        return plan.Config.Where(field => !JsonNode.DeepEquals(field.Value, preset.Config[field.Key]))
            .ToDictionary(field => field.Key, field => JsonSerializer.SerializeToElement(field.Value), StringComparer.Ordinal);
    }
}
