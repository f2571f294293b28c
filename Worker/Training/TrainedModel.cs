using Hearth.Models;
using Hearth.Models.Vuaf;
using Hearth.Training.Checkpoints;
using Hearth.Training.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Training;

/// <summary>A model with the tokenizer that it was trained with.</summary>
public sealed record TrainedModel(LanguageModel Model, ITokenizer Tokenizer)
{
    /// <summary>Out of a run's checkpoint, or out of a published VUAF folder.</summary>
    /// <param name="folder">Either.</param>
    /// <param name="device">Where the model is to be.</param>
    /// <param name="dtype">fp32 or fp64; null = as it was trained.</param>
    /// <exception cref="BadInputException">The folder is neither, or a file of it is wrong; says which.</exception>
    /// <exception cref="CorruptCheckpointException">A file is not what the checkpoint's manifest says.</exception>
    /// <exception cref="TokenizerException">The tokenizer is wrong or another one.</exception>
    public static TrainedModel Load(string folder, Device device, ScalarType? dtype = null) =>
        File.Exists(Path.Combine(folder, VuafFolder.WeightsName)) ? FromVuafFolder(folder, device, dtype ?? float32) : FromCheckpoint(folder, device, dtype);

    /// <summary>Out of a run's checkpoint: the average of its weights where it kept one.</summary>
    public static TrainedModel FromCheckpoint(string folder, Device device, ScalarType? dtype = null)
    {
        CheckpointFolder.Verify(folder);
        var config = CheckpointFolder.ReadJson<CheckpointConfig>(folder, CheckpointFolder.ConfigName);
        var errors = new List<Runs.FieldError>();
        var plan = Families.Plan(config.Run.Model, errors) ?? throw new BadInputException(string.Join(" ", errors.Select(e => e.Message)));
        var tokenizer = CheckpointFolder.Tokenizer(folder);
        var model = plan.Build(dtype ?? (config.Run.Train.Precision == "fp64" ? float64 : float32), device, 0);
        TensorFile.Load(CheckpointFolder.ExportPath(folder), [.. model.named_parameters()], convert: true);
        return new TrainedModel(model, tokenizer);
    }

    /// <summary>Writes a checkpoint's model and tokenizer as the folder that VUAF's published runtime reads.</summary>
    /// <exception cref="BadInputException">The checkpoint is of another family or has another kind of tokenizer.</exception>
    /// <exception cref="TokenizerException">The tokenizer's special ids are not VUAF's.</exception>
    public static void ExportVuaf(string checkpoint, string folder)
    {
        var (model, tokenizer) = FromCheckpoint(checkpoint, torch.CPU);
        if (model is not VuafModel vuaf)
        {
            throw new BadInputException($"{checkpoint} is of the family {model.Plan.Family}. Allowed: vuaf.");
        }

        if (tokenizer is not SentencePieceTokenizer pieces)
        {
            throw new BadInputException($"The tokenizer of {checkpoint} is {tokenizer.FileName}. Allowed: {TokenizerFile.SentencePieceName}, from data.tokenizer {Runs.TokenizerKinds.SentencePiece}.");
        }

        VuafTokenizerFolder.Write(folder, pieces);
        VuafFolder.Save(vuaf, folder, pieces.Sha256);
    }

    private static TrainedModel FromVuafFolder(string folder, Device device, ScalarType dtype)
    {
        var tokenizer = VuafTokenizerFolder.Read(folder);
        try
        {
            var model = VuafFolder.Load(folder, dtype, device);
            return model.Plan.VocabSize >= tokenizer.VocabSize
                ? new TrainedModel(model, tokenizer)
                : throw new BadInputException($"vocab_size of {VuafFolder.ConfigName} is {model.Plan.VocabSize}; the tokenizer has {tokenizer.VocabSize} entries. Allowed: at least as many.");
        }
        catch (InvalidDataException e)
        {
            throw new BadInputException(e.Message);
        }
    }
}
