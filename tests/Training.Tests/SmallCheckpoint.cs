using System.Text.Json;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tokenizers;
using Hearth.Training.Checkpoints;
using Hearth.Training.Optim;
using TorchSharp;

namespace Hearth.Training.Tests;

/// <summary>Checkpoints of untrained models whose every weight is moved, so that no path is dead; made in milliseconds.</summary>
internal static class SmallCheckpoint
{
    public static ITokenizer Tokenizer(string kind)
    {
        var trainer = TokenizerTrainers.Create(kind);
        trainer.Add("the cat sat on a mat and saw two red birds fly over the hills");
        return trainer.Train(Math.Max(400, TokenizerKinds.LeastVocabulary(kind)));
    }

    public static LanguageModel Model(string family, torch.ScalarType dtype = torch.ScalarType.Float32)
    {
        var errors = new List<FieldError>();
        var plan = Families.Plan(new ModelSpec { Family = family, Size = "nano", Overrides = new() { ["vocab_size"] = JsonSerializer.SerializeToElement(512) } }, errors);
        var model = plan?.Build(dtype, torch.CPU, 3) ?? throw new InvalidOperationException(string.Join(" ", errors.Select(e => e.Message)));
        using var quiet = torch.no_grad();
        foreach (var weight in model.Parameters)
        {
            weight.add_(torch.empty(weight.shape, torch.float32).normal_(0, 0.1).to(dtype));
        }

        return model;
    }

    /// <summary>Writes a checkpoint of step 5 below <paramref name="root"/>.</summary>
    public static string Write(string root, LanguageModel model, ITokenizer tokenizer, OptimizerSpec? how = null)
    {
        using var optimizer = Optimizer.Create(model, how ?? new OptimizerSpec());
        var spec = new RunSpec
        {
            Name = "small",
            Model = new ModelSpec { Family = model.Plan.Family, Size = model.Plan.Size, Overrides = model.Plan.Config.Deserialize<Dictionary<string, JsonElement>>()! },
            Data = new DataSpec { Dataset = "text" },
            Train = new TrainSpec { Precision = model.Dtype == torch.float64 ? "fp64" : "fp32" },
            Optimizer = how ?? new OptimizerSpec(),
        };
        var config = JsonSerializer.SerializeToUtf8Bytes(new CheckpointConfig { Model = model.Plan.Config, Run = spec }, Json.Pretty);
        List<CheckpointFile> files =
        [
            new(CheckpointFolder.WeightsName, s => SafetensorsWriter.Write(s, [.. model.NamedParameters.Select(p => (p.Name, p.Value.detach()))])),
            new(CheckpointFolder.OptimizerName, s => SafetensorsWriter.Write(s, optimizer.State)),
            new(CheckpointFolder.StateName, s => JsonSerializer.Serialize(s, new TrainState { Step = 5 }, Json.Pretty)),
            new(CheckpointFolder.ConfigName, s => s.Write(config)),
            new(tokenizer.FileName, s => s.Write(tokenizer.File)),
        ];
        return CheckpointFolder.Write(root, 5, files, refs => new CheckpointManifest
        {
            Step = 5,
            Tokens = 0,
            Trace = TraceHash.Empty.ToString(),
            TokenizerSha256 = tokenizer.Sha256,
            Files = refs,
        });
    }
}
