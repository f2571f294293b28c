using System.Text.Json.Nodes;
using Hearth.Models;
using Hearth.Protocol;
using Hearth.Tokenizers;
using Hearth.Training.Checkpoints;

namespace Hearth.Training;

/// <summary>The checkpoint or exported model that a run begins with: its weights (their average, where it kept one) and its tokenizer.</summary>
public sealed class StartingPoint
{
    private readonly string _folder;
    private readonly string _weights;
    private readonly JsonObject _config;

    private StartingPoint(string folder, string weights, JsonObject config, ITokenizer tokenizer) => (_folder, _weights, _config, Tokenizer) = (folder, weights, config, tokenizer);

    public ITokenizer Tokenizer { get; }

    /// <summary>What a job's <c>start_from</c> names.</summary>
    /// <exception cref="BadInputException">The job has no start_path, or what <see cref="Open"/> says.</exception>
    public static StartingPoint Of(TrainerJob job) =>
        Open(job.StartPath ?? throw new BadInputException($"start_from is {job.Spec.StartFrom}, and the job has no start_path."));

    /// <param name="folder">Of a checkpoint or of an exported model; checked against its manifest, or against its own config.</param>
    /// <exception cref="BadInputException">It is neither, or a file of it is wrong; names it.</exception>
    /// <exception cref="CorruptCheckpointException">A file is not what the manifest says; names it.</exception>
    /// <exception cref="TokenizerException">Its tokenizer cannot be read.</exception>
    public static StartingPoint Open(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new BadInputException($"start_from is {folder}, where no folder is. Allowed: the folder of a checkpoint or of an exported model.");
        }

        if (PublishedFolder.Is(folder))
        {
            var (plan, tokenizer) = PublishedFolder.Describe(folder);
            return new StartingPoint(folder, Path.Combine(folder, PublishedFolder.WeightsName), plan.Config, tokenizer);
        }

        CheckpointFolder.VerifyForGenerating(folder);
        var config = CheckpointFolder.ReadJson<CheckpointConfig>(folder, CheckpointFolder.ConfigName);
        return new StartingPoint(folder, CheckpointFolder.ExportPath(folder), config.Model, CheckpointFolder.Tokenizer(folder));
    }

    /// <exception cref="BadInputException">The run's model is another one; shows both.</exception>
    public void CheckModel(ModelPlan plan)
    {
        if (!JsonNode.DeepEquals(_config, plan.Config))
        {
            throw new BadInputException($"start_from is {_folder}, a model {_config.ToJsonString()}; the run's is {plan.Config.ToJsonString()}. Allowed: the same model.");
        }
    }

    /// <summary>Puts the weights into a model whose plan passed <see cref="CheckModel"/>.</summary>
    public void Load(LanguageModel model) => TensorFile.Load(_weights, [.. model.NamedParameters], convert: true);
}
