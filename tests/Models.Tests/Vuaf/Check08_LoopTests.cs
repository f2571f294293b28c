using System.Text.Json.Nodes;
using Hearth.Models.Vuaf;
using Hearth.Runs;
using Hearth.Training;
using Hearth.Training.Optim;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Vuaf;

public sealed class Check08_LoopTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData("blocks.2.token_mix.module.out_proj.weight")]
    [InlineData("blocks.1.token_mix.module.in_proj.weight")]
    [InlineData("blocks.3.token_mix.module.qkv.weight")]
    [InlineData("blocks.4.channel_mix.module.w1.weight")]
    [InlineData("embed.weight")]
    public void Check_8_one_weight_changes_every_loop_step(string name)
    {
        var model = VuafSmall.Tiny();
        var ids = Small.Ids(1, 10, 40);
        using var quiet = no_grad();
        var before = model.Steps(ids, 4);
        model.Weight(name).narrow(0, 0, 1).narrow(1, 0, 1).fill_(1);

        Assert.All(before.Zip(model.Steps(ids, 4)), pair => Assert.InRange(Small.Difference(pair.First.Logits_BTV, pair.Second.Logits_BTV), 1e-6, double.MaxValue));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void Check_8_a_checkpoint_trained_with_four_loops_runs_with_any_and_a_step_does_not_depend_on_how_many_follow(int loops)
    {
        string folder = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():n}");
        var tokenizer = VuafSmall.Tokenizer();
        var model = VuafSmall.Tiny(new { vocab_size = tokenizer.VocabSize });
        Train(model);
        try
        {
            PublishedFolder.Write(new TrainedModel(VuafSmall.Single(model), tokenizer), folder);
            string path = Path.Combine(folder, VuafFolder.ConfigName);
            var config = JsonNode.Parse(File.ReadAllText(path))!;
            config["loop_steps"] = loops;
            File.WriteAllText(path, config.ToJsonString());

            var other = (VuafModel)PublishedFolder.Read(folder, CPU, float64).Model;

            var ids = Small.Ids(2, 10, 40);
            using var quiet = no_grad();
            var four = VuafSmall.Single(model, float64).Steps(ids, 4);
            var steps = other.Steps(ids, other.LoopSteps);
            Assert.Equal(loops, steps.Count);
            Assert.All(four.Zip(steps), pair => Assert.Equal(0.0, Small.Difference(pair.First.Logits_BTV, pair.Second.Logits_BTV)));
            Assert.All(steps, step => Assert.True(step.Logits_BTV.isfinite().all().item<bool>()));
            using var session = other.StartDecode();
            Assert.InRange(Small.Difference(steps[^1].Logits_BTV, session.Step(ids)), 0, 1e-9);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Train(VuafModel model)
    {
        using var optimizer = Optimizer.Create(model, new OptimizerSpec { Lr = 1e-3 });
        for (int step = 0; step < 3; step++)
        {
            using var scope = NewDisposeScope();
            optimizer.ClearGradients();
            var ids = Small.Ids(2, 12, 40, step);
            model.Loss(ids, ids, model.Count(new int[24], 12)).Total.backward();
            optimizer.ClipGradNorm(1);
            optimizer.Step(1);
        }
    }
}
