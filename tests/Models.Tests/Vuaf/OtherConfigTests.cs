using Hearth.Models;
using Hearth.Models.Vuaf;
using Hearth.Kernels;
using Hearth.Training.Parity;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Vuaf;

/// <summary>
/// Models of drawn widths, depths, patterns and options: their tensors are those that the calculator lists, a parity case under its
/// short names is read and run whole, and decoding equals the full forward.
/// </summary>
public sealed class OtherConfigTests : IDisposable
{
    private const int Rows = 2, Length = 19;

    // Up to 48 layers, one after another, multiply a last bit.
    private const double Rounding = 1e-7;
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():n}.safetensors");

    public void Dispose()
    {
        _scope.Dispose();
        File.Delete(_path);
    }

    public static TheoryData<int> Seeds() => [.. Enumerable.Range(1, 12)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_drawn_config_has_the_calculators_tensors_runs_as_a_case_and_decodes_as_it_reads(int seed)
    {
        var drawn = new DrawnConfig(seed);
        var model = Build(drawn);
        Assert.Equal(drawn.Tensors(), model.Plan.Tensors.Select(t => $"{t.Name} {string.Join('x', t.Shape)}").Order(StringComparer.Ordinal));

        WriteCase(drawn, model);
        using var log = new StringWriter();
        int code = ParityRunner.Run(_path, "fp64", "cpu", null, log);
        Assert.True(code == 0, $"{drawn.Json}\n{log}");
        Assert.All((string[])["logits", "exit", "loss", "grad_norm", "train"], kind => Assert.Contains($"\n{kind} ", "\n" + log, StringComparison.Ordinal));

        DecodesAsItReads(model);
    }

    [Theory]
    [InlineData("tie_embeddings", "true")]
    [InlineData("mamba_mode", "\"parallel\"")]
    [InlineData("dropout", "0")]
    [InlineData("name", "\"VUAF-1-Nano\"")]
    public void Fields_of_the_published_config_that_have_one_value_may_stand_in_a_case(string field, string value)
    {
        var drawn = new DrawnConfig(1);
        WriteCase(drawn, Build(drawn), $", \"{field}\": {value}");

        Assert.Equal(0, ParityRunner.Run(_path, "fp64", "cpu", null, TextWriter.Null));
    }

    private static VuafModel Build(DrawnConfig drawn)
    {
        var model = (VuafModel)VuafSmall.Plan(drawn.Fields).Build(float64, CPU, drawn.Seed);
        using var quiet = no_grad();
        manual_seed(drawn.Seed);
        foreach (var weight in model.Parameters)
        {
            // A case's weights are of single precision.
            weight.copy_((weight + empty(weight.shape).normal_(0, 0.1).to(float64)).to(float32).to(float64));
        }

        return model;
    }

    private static void DecodesAsItReads(VuafModel model)
    {
        using var quiet = no_grad();
        var ids = Small.Ids(Rows, Length, DrawnConfig.Vocabulary, 11);
        var full = model.Steps(ids, model.LoopSteps);
        using var deep = model.StartDecode();
        using var early = model.StartDecode(new ExitOptions());
        deep.Step(ids.narrow(1, 0, 6));
        early.Emit(ids.narrow(1, 0, 6));
        for (int t = 6; t < Length; t++)
        {
            // Under the norm over the sequence a position's logits are those of the text up to it.
            var expected = model.SequenceNorm ? model.Steps(ids.narrow(1, 0, t + 1), model.LoopSteps) : full;
            var one = ids.narrow(1, t, 1);
            Assert.InRange(Small.Difference(expected[^1].Logits_BTV.select(1, t), deep.Step(one).select(1, 0)), 0, Rounding);
            var emitted = early.Emit(one);
            for (int b = 0; b < Rows; b++)
            {
                Assert.InRange(Small.Difference(expected[early.LoopSteps[b]].Logits_BTV.select(0, b).select(0, t), emitted.select(0, b)), 0, Rounding);
            }
        }
    }

    // What the model itself computes, under a case's names.
    private void WriteCase(DrawnConfig drawn, VuafModel model, string more = "")
    {
        var ids = Small.Ids(Rows, Length, DrawnConfig.Vocabulary);
        var none = full([Rows, 1], -100, int64, CPU);
        var expected = new List<(string Name, Tensor Value)>
        {
            ("input.ids", ids.to(int32)),
            ("input.labels", cat([ids.narrow(1, 1, Length - 1), none], 1).to(int32)),
        };

        // A case's last position has no target but is run: its experts count. Ours needs a column behind it for that.
        var (rows, labels) = (cat([ids, ids.narrow(1, 0, 1)], 1), cat([ids, none], 1));
        var totals = model.Count(Array.ConvertAll(labels.HostArray<long>(), id => (int)id), Length + 1);
        var loss = model.Loss(rows, labels, totals);
        loss.Total.backward();
        expected.AddRange(loss.Terms.Select((term, k) => ($"expect.loss.{term.Name}", term.Sum / (double)totals.Counts[k])));
        expected.Add(("expect.loss.total", loss.Total.detach()));
        expected.AddRange(model.NamedParameters.Select(p => ($"expect.grad_norm.{p.Name}", p.Value.grad is { } g ? g.pow(2).sum().sqrt() : zeros([], float64))));
        using (no_grad())
        {
            expected.AddRange(model.Steps(ids, drawn.Loops).Index().Select(s => ($"expect.logits.{s.Index}", s.Item.Logits_BTV)));
            expected.Add(("expect.loops7.logits", model.Logits(ids, 7)));
            expected.Add(("expect.exit", Exits(model, ids)));
        }

        expected.Add(("expect.train.adamw.loss", stack([loss.Total.detach(), loss.Total.detach()])));
        expected.AddRange(model.NamedParameters.Select(p => (p.Name, p.Value.detach().to(float32))));
        const string how = """
            "train": {"adamw": {"kind": "adamw", "betas": [0.9, 0.95], "clip": 1.0, "eps": 1e-8, "lr": 0, "weight_decay": 0.1}},
            "tolerance": {"fp64": 1e-6, "fp32": {"logits": 0.03}}
            """;
        string config = drawn.Json[..^1] + more + "}", text = $$"""{"family": "vuaf", "size": "nano", "config": {{config}}, {{how}} }""";
        using var stream = File.Create(_path);
        SafetensorsWriter.Write(stream, expected, new Dictionary<string, string> { ["case"] = text });
    }

    private static Tensor Exits(VuafModel model, Tensor ids)
    {
        var halts = model.Steps(ids, model.LoopSteps).Select(s => s.Halt_BT).OfType<Tensor>().Select(h => h.sigmoid().HostArray<double>()).ToArray();
        int[] steps = [.. Enumerable.Range(0, Rows * Length).Select(n => Array.FindIndex(halts, h => h[n] >= 0.5) is var at && at < 0 ? halts.Length : at)];
        return tensor(steps, Rows, Length);
    }
}
