using System.Text.Json;
using Hearth.Models;
using Hearth.Models.Vuaf;
using Hearth.Runs;
using Hearth.Tokenizers;
using Hearth.Training.Checkpoints;
using TorchSharp;
using Xunit;

namespace Hearth.Training.Tests;

public sealed class ExportTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void An_exported_vuaf_folder_has_every_file_and_generates_as_its_checkpoint()
    {
        string checkpoint = Train("vuaf", TokenizerKinds.SentencePiece), folder = _folder.At("published");
        PublishedFolder.Write(TrainedModel.FromCheckpoint(checkpoint, torch.CPU), folder);
        using var scope = torch.NewDisposeScope();
        var (model, tokenizer) = TrainedModel.Load(checkpoint, torch.CPU);
        var (read, readTokenizer) = TrainedModel.Load(folder, torch.CPU);
        int[] prompt = tokenizer.Encode("the cat");

        Assert.Equal(["categories.json", "config.json", "metadata.json", "model.safetensors", "spm.model", "spm.vocab", "tokenizer.json"], Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(tokenizer.Sha256, readTokenizer.Sha256);
        Assert.Equal(Sampler.Generate(model, prompt, 12, new Sampling(0, 0, 0)), Sampler.Generate(read, prompt, 12, new Sampling(0, 0, 0)));
    }

    [Fact]
    public void A_published_folder_with_another_tokenizer_is_refused_with_both_hashes()
    {
        string folder = _folder.At("published");
        PublishedFolder.Write(TrainedModel.FromCheckpoint(Train("vuaf", TokenizerKinds.SentencePiece), torch.CPU), folder);
        string trained = VuafFolder.TokenizerSha256(folder)!;
        var other = (SentencePieceTokenizer)new SentencePieceTrainer(new SpmTraining()).Train(300);
        VuafTokenizerFolder.Write(folder, other);

        string message = Assert.Throws<TokenizerException>(() => TrainedModel.Load(folder, torch.CPU)).Message;

        Assert.Contains(trained, message, StringComparison.Ordinal);
        Assert.Contains(other.Sha256, message, StringComparison.Ordinal);
    }

    private string Train(string family, string tokenizer)
    {
        string work = $"{family}-{tokenizer}";
        var sink = new ListSink();
        using var control = new TrainerControl();
        var spec = TinyRun.Spec(spec => spec with
        {
            Model = new ModelSpec { Family = family, Size = "nano", Overrides = new() { ["vocab_size"] = JsonSerializer.SerializeToElement(320) } },
            Data = spec.Data with { Tokenizer = tokenizer },
            Train = spec.Train with { Steps = 3 },
            Sample = spec.Sample with { EverySteps = 0 },
        });
        Assert.True(new JobRunner(sink, control, TimeProvider.System).Run(TinyRun.Job(_folder, work, spec)) == ExitCodes.Done, string.Join("\n", sink.All));
        return CheckpointFolder.List(_folder.At(work, "checkpoints"))[^1];
    }
}
