using Hearth.Models;
using Hearth.Kernels;
using TorchSharp;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary><c>logits</c> as it is typed, against the model in this process.</summary>
public sealed class LogitsCommandTests : CheckpointTest
{
    [Theory]
    [InlineData("qovaryx", "fp32")]
    [InlineData("hybrid", "fp64")]
    [InlineData("moa", "fp32")]
    [InlineData("positronic", "fp32")]
    public void The_file_holds_the_models_logits_and_the_screen_their_likeliest(string family, string dtype)
    {
        var (model, checkpoint) = Checkpoint(family);
        var result = TrainerCommandLine.Run("logits", checkpoint, "--ids", "5,9,30,1", "--dtype", dtype, "--out", At("out.safetensors"), "--top", "2");

        Assert.Equal((ExitCodes.Done, ""), (result.Exit, result.Errors));
        using var file = SafetensorsReader.Open(At("out.safetensors"));
        var entry = Assert.Single(file.Entries);
        Assert.Equal(("logits", dtype == "fp64" ? torch.float64 : torch.float32), (entry.Name, entry.Type));
        using var quiet = torch.no_grad();
        var expected = model.Logits(torch.tensor([5L, 9, 30, 1], 1, 4));
        Assert.Equal([1L, 4, model.Plan.VocabSize], entry.Shape);
        double[] read = file.Read("logits").HostArray<double>();
        Assert.All(expected.HostArray<double>().Zip(read), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
        int likeliest = Sampler.Likeliest(read.AsSpan(2 * model.Plan.VocabSize, model.Plan.VocabSize));
        Assert.StartsWith($"  2 (id 30)  {likeliest}: ", result.Lines[3], StringComparison.Ordinal);
    }

    [Fact]
    public void A_looped_model_gives_the_logits_of_each_step_and_its_halt_logits()
    {
        var (model, checkpoint) = Checkpoint("vuaf");
        var result = TrainerCommandLine.Run("logits", checkpoint, "--ids", "5,9,30", "--dtype", "fp64", "--out", At("out.safetensors"));

        Assert.Equal((ExitCodes.Done, ""), (result.Exit, result.Errors));
        using var file = SafetensorsReader.Open(At("out.safetensors"));
        using var quiet = torch.no_grad();
        var expected = model.Outputs(torch.tensor([5L, 9, 30], 1, 3)).ToDictionary(o => o.Name, o => o.Value);
        Assert.Equal(["halt.0", "logits.0", "logits.1"], file.Entries.Select(e => e.Name).Order(StringComparer.Ordinal));
        Assert.Equal([1L, 3], file.Entries.Single(e => e.Name == "halt.0").Shape);
        Assert.All(expected, o => Assert.All(o.Value.HostArray<double>().Zip(file.Read(o.Key).HostArray<double>()), pair => Assert.Equal(pair.First, pair.Second, 1e-3)));
        Assert.Equal(model.Logits(torch.tensor([5L, 9, 30], 1, 3)).HostArray<float>(), expected["logits.1"].HostArray<float>());
    }

    [Theory]
    [InlineData("--ids 5,512", "--ids has 512. Allowed: 0 to 511, Qovaryx nano's vocabulary.")]
    [InlineData("--ids 5,,6", "--ids has an empty entry. Allowed: 0 to 511, Qovaryx nano's vocabulary.")]
    [InlineData("--ids -1", "--ids has -1. Allowed: 0 to 511, Qovaryx nano's vocabulary.")]
    [InlineData("--ids 5 --dtype bf16", "--dtype is bf16. Allowed: fp32, fp64.")]
    [InlineData("--ids 5 --device gpu", "--device is gpu. Allowed here: cpu.")]
    [InlineData("--top 3", "--ids is missing.")]
    public void What_is_wrong_is_named_with_what_is_allowed(string words, string message)
    {
        var result = TrainerCommandLine.Run(["logits", Checkpoint("qovaryx").Folder, .. words.Split(' ')]);

        Assert.Equal(ExitCodes.BadInput, result.Exit);
        Assert.StartsWith($"hearth-trainer: {message[..^1]}", result.Errors, StringComparison.Ordinal);
    }
}
