using System.Text.Json.Nodes;
using Hearth.Models;
using Hearth.Kernels;
using Hearth.Training;
using Hearth.Training.Parity;
using Xunit;

namespace Hearth.Tests;

public sealed class ParityTests
{
    public static TheoryData<string> Cases() => [.. Files()];

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_case_of_an_independent_implementation_is_equal_in_fp64(string file) => Passes(file, "fp64");

    // VUAF's random weights multiply fp32 rounding by 10⁵, and a near tie of two experts hangs on it (docs/families/vuaf.md).
    public static TheoryData<string> Calm() => [.. Files().Where(file => !file.StartsWith("vuaf", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Calm))]
    public void A_case_of_an_independent_implementation_is_near_in_fp32(string file) => Passes(file, "fp32");

    [Theory]
    [InlineData("\"tie\": true", "\"tied\": true", "config.tied is true. Allowed: false (Qovaryx has no such part here).")]
    [InlineData("\"ffn_kind\": \"swiglu\"", "\"ffn_kind\": \"routed\"", "model.ffn_kind is routed. Allowed: swiglu, ternary_swiglu, lowrank_swiglu, routed_lowrank_swiglu.")]
    [InlineData("\"family\": \"qovaryx\"", "\"family\": \"qovarix\"", "family is qovarix. Allowed: {families}.")]
    [InlineData("\"mtp_k\": 4", "\"mtp_k\": 0", "model.mtp_k is 0. Allowed: 1 to 16.")]
    public void A_case_of_a_model_that_cannot_be_built_is_refused_by_name(string part, string instead, string message)
    {
        string path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():n}.safetensors");
        using var file = SafetensorsReader.Open(Path.Combine(AppContext.BaseDirectory, "cases", "qovaryx-swiglu.safetensors"));
        string text = file.Metadata["case"];
        Assert.Contains(part, text, StringComparison.Ordinal);
        try
        {
            using (var stream = File.Create(path))
            {
                SafetensorsWriter.Write(stream, [], new Dictionary<string, string> { ["case"] = text.Replace(part, instead, StringComparison.Ordinal) });
            }

            var error = Assert.Throws<BadInputException>(() => ParityRunner.Run(path, "fp64", "cpu", null, TextWriter.Null));
            Assert.Equal(message.Replace("{families}", string.Join(", ", Families.All.Select(f => f.Name)), StringComparison.Ordinal), error.Message);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void A_changed_weight_is_over_the_tolerance_and_results_are_written_by_name()
    {
        var (log, results) = Changed("qovaryx-block_untied", "blocks.1.o", weight => weight.select(0, 0).narrow(0, 0, 1).fill_(0.01));

        Assert.Contains("OVER", log, StringComparison.Ordinal);
        Assert.Equal([2L, 33, 128], results["expect.logits"].shape);
        Assert.True(results.ContainsKey("expect.grad_norm.mtp.3.block.ffn.down") && results.ContainsKey("expect.train.adamw.loss"));
    }

    [Fact]
    public void A_value_that_is_no_number_is_over_the_tolerance_wherever_it_stands()
    {
        var (log, _) = Changed("qovaryx-swiglu", "expect.logits", logits => logits.view(-1).narrow(0, 0, 1).fill_(double.NaN));

        Assert.Matches("logits +NaN .* OVER", log);
    }

    [Fact]
    public void Rows_whose_last_targets_are_masked_are_read_whole()
    {
        // The triangle and balance terms look at every position, whatever its label.
        var (log, results) = Changed("moa-l2_top2", "input.labels", labels => labels.narrow(1, 31, 1).fill_(-100));

        using var expected = SafetensorsReader.Open(Case("moa-l2_top2"));
        Assert.Contains("loss ", log, StringComparison.Ordinal);
        Assert.All(["expect.loss.ti", "expect.loss.balance"], name =>
            Assert.Equal(expected.Read(name).HostArray<double>()[0], results[name].HostArray<double>()[0], 1e-12));
    }

    [Fact]
    public void A_greedy_continuation_may_be_longer_than_the_rows_of_training()
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        using var file = SafetensorsReader.Open(Case("hybrid-mini"));
        var described = JsonNode.Parse(file.Metadata["case"])!.AsObject();
        Assert.Equal(32, described["config"]!["seq_len"]!.GetValue<int>());
        described["greedy"] = new JsonObject { ["new"] = 30 };
        described["train"] = new JsonObject();
        var metadata = new Dictionary<string, string> { ["case"] = described.ToJsonString() };
        string path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():n}.safetensors");
        var inputs = file.Entries.Where(e => !e.Name.StartsWith("expect.", StringComparison.Ordinal)).Select(e => (e.Name, Value: file.Read(e.Name))).ToArray();
        try
        {
            Write(path, [.. inputs, ("expect.greedy", TorchSharp.torch.zeros([2, 30], TorchSharp.torch.int32))], metadata);
            _ = ParityRunner.Run(path, "fp64", "cpu", path + ".out", TextWriter.Null);
            using var got = SafetensorsReader.Open(path + ".out");
            int[] tokens = got.Read("expect.greedy").HostArray<int>();

            // Each token is the likeliest of the full forward over what precedes it.
            using var reader = SafetensorsReader.Open(path);
            var model = ParityCase.Read(reader).Plan.Build(TorchSharp.torch.ScalarType.Float64, TorchSharp.torch.CPU, 0);
            using var quiet = TorchSharp.torch.no_grad();
            foreach (var (name, weight) in model.NamedParameters)
            {
                weight.copy_(file.Read(name));
            }

            var text = TorchSharp.torch.cat([file.Read("input.ids").narrow(1, 0, 8), got.Read("expect.greedy")], 1).to(TorchSharp.torch.int64);
            Assert.Equal(tokens.Select(t => (long)t), model.Logits(text).narrow(1, 7, 30).argmax(-1).HostArray<long>());
        }
        finally
        {
            File.Delete(path);
            File.Delete(path + ".out");
        }
    }

    /// <summary>What a case gives after one of its tensors was changed: the report, and the results by name.</summary>
    private static (string Log, IReadOnlyDictionary<string, TorchSharp.torch.Tensor> Results) Changed(
        string name, string tensor, Action<TorchSharp.torch.Tensor> change)
    {
        string changed = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():n}.safetensors"), results = changed + ".out";
        try
        {
            using (var file = SafetensorsReader.Open(Case(name)))
            {
                var tensors = file.Entries.Select(e => (e.Name, Value: file.Read(e.Name))).ToArray();
                change(tensors.Single(t => t.Name == tensor).Value);
                Write(changed, tensors, file.Metadata);
            }

            using var log = new StringWriter();
            ParityRunner.Run(changed, "fp64", "cpu", results, log);
            using var written = SafetensorsReader.Open(results);
            return (log.ToString(), written.Entries.ToDictionary(e => e.Name, e => written.Read(e.Name), StringComparer.Ordinal));
        }
        finally
        {
            File.Delete(changed);
            File.Delete(results);
        }
    }

    private static void Write(string path, IReadOnlyList<(string Name, TorchSharp.torch.Tensor Value)> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        using var stream = File.Create(path);
        SafetensorsWriter.Write(stream, tensors, metadata);
    }

    private static string Case(string name) => Path.Combine(AppContext.BaseDirectory, "cases", name + ".safetensors");

    private static string[] Files() =>
        [.. Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "cases"), "*.safetensors").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    private static void Passes(string file, string dtype)
    {
        using var log = new StringWriter();

        int code = ParityRunner.Run(Path.Combine(AppContext.BaseDirectory, "cases", file), dtype, "cpu", null, log);

        Assert.True(code == 0, log.ToString());

        // Whatever kind of result the file holds was compared.
        using var expected = SafetensorsReader.Open(Path.Combine(AppContext.BaseDirectory, "cases", file));
        string[] compared = [.. log.ToString().Split('\n').Select(line => line.Split(' ')[0])];
        foreach (string kind in (string[])["logits", "loss", "grad_norm", "train", "greedy", "drafts", "stores"])
        {
            bool held = expected.Entries.Any(e => e.Name == $"expect.{kind}" || e.Name.StartsWith($"expect.{kind}.", StringComparison.Ordinal) || e.Name.StartsWith($"expect.{kind}_", StringComparison.Ordinal));
            Assert.True(!held || compared.Contains(kind), $"{kind} of {file} was not compared");
        }
    }
}
