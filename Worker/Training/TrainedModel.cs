using Hearth.Models;
using Hearth.Tokenizers;
using Hearth.Training.Checkpoints;
using static TorchSharp.torch;

namespace Hearth.Training;

/// <summary>A model with the tokenizer that it was trained with.</summary>
public sealed record TrainedModel(LanguageModel Model, ITokenizer Tokenizer)
{
    /// <summary>How the conversations were written that it was tuned on; null = it was not.</summary>
    public Runs.SftSpec? Tuning { get; init; }

    /// <summary>Out of a run's checkpoint, or out of a published folder.</summary>
    /// <param name="folder">Either.</param>
    /// <param name="device">Where the model is to be.</param>
    /// <param name="dtype">fp32 or fp64; null = as it was trained.</param>
    /// <exception cref="BadInputException">The folder is neither, or a file of it is wrong; says which.</exception>
    /// <exception cref="CorruptCheckpointException">A file is not what the checkpoint's manifest says.</exception>
    /// <exception cref="TokenizerException">The tokenizer is wrong or another one.</exception>
    public static TrainedModel Load(string folder, Device device, ScalarType? dtype = null) =>
        PublishedFolder.Is(folder) ? PublishedFolder.Read(folder, device, dtype) : FromCheckpoint(folder, device, dtype);

    /// <summary>Out of a run's checkpoint: the average of its weights where it kept one, or, <paramref name="raw"/>, the weights themselves.</summary>
    public static TrainedModel FromCheckpoint(string folder, Device device, ScalarType? dtype = null, bool raw = false)
    {
        if (raw)
        {
            CheckpointFolder.Verify(folder);
        }
        else
        {
            CheckpointFolder.VerifyForGenerating(folder);
        }

        var config = CheckpointFolder.ReadJson<CheckpointConfig>(folder, CheckpointFolder.ConfigName);
        var errors = new List<Runs.FieldError>();
        var plan = Families.Plan(config.Run.Model, errors) ?? throw new BadInputException(string.Join(" ", errors.Select(e => e.Message)));
        var tokenizer = CheckpointFolder.Tokenizer(folder);
        var model = plan.Build(dtype ?? (config.Run.Train.Precision == "fp64" ? float64 : float32), device, seed: null);
        TensorFile.Load(CheckpointFolder.ExportPath(folder, raw), [.. model.NamedParameters], convert: true);
        return new TrainedModel(model, tokenizer) { Tuning = config.Run.Task == Runs.RunTasks.Sft ? config.Run.Sft : null };
    }
}
