using System.Text.Json.Nodes;
using Hearth.Kernels;
using Hearth.Models.Vuaf;
using Hearth.Tokenizers;
using Hearth.Training;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Vuaf;

/// <summary>Published checkpoint folders: written, read back strictly, refused by name.</summary>
public sealed class Check01_FolderTests : IDisposable
{
    private const string Moved = "blocks.2.channel_mix.module.w2.weight";
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();
    private readonly string _root = Directory.CreateTempSubdirectory("vuaf").FullName;

    private string Folder => Path.Combine(_root, "published");

    public void Dispose()
    {
        _scope.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    [Theory]
    [InlineData("token")]
    [InlineData("sequence")]
    public void Check_1_an_exported_folder_is_read_back_bit_for_bit(string norm)
    {
        var (model, tokenizer) = Export(new { rwkv_norm = norm });

        var (again, read) = PublishedFolder.Read(Folder, CPU);

        Assert.All(model.NamedParameters, p => Assert.Equal(p.Value.HostArray<float>(), again.Weight(p.Name).HostArray<float>()));
        Assert.Equal(norm == "token", Config().ContainsKey("rwkv_norm"));
        Assert.Equal(norm, again.Plan.Config["rwkv_norm"]!.GetValue<string>());
        Assert.Equal((tokenizer.Sha256, tokenizer.Sha256), (read.Sha256, VuafFolder.TokenizerSha256(Folder)));
        string[] files = [.. Directory.EnumerateFiles(Folder).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];
        Assert.Equal(["categories.json", "config.json", "metadata.json", "model.safetensors", "spm.model", "spm.vocab", "tokenizer.json"], files);
        var metadata = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, VuafFolder.MetadataName)))!;
        Assert.Equal((1, model.Plan.Parameters, 4), (metadata["format_version"]!.GetValue<int>(), metadata["n_parameters"]!.GetValue<long>(), metadata["loop_steps"]!.GetValue<int>()));
        using var quiet = no_grad();
        var ids = Small.Ids(1, 9, 40);
        Assert.Equal(0.0, Small.Difference(model.Logits(ids), again.Logits(ids)));
    }

    [Fact]
    public void Check_1_a_folder_under_the_old_name_loads_as_femto_with_the_runtimes_defaults_and_its_norm()
    {
        var femto = (VuafModel)VuafSmall.Plan(new { rwkv_norm = "sequence" }, "femto").Build(float32, CPU, 4);
        var tokenizer = VuafSmall.Tokenizer();
        PublishedFolder.Write(new TrainedModel(femto, tokenizer), Folder);
        File.WriteAllText(Path.Combine(Folder, VuafFolder.ConfigName), "{\"name\":\"VUAF-Pico\",\"dropout\":0,\"rwkv_n_heads\":4}");

        var loaded = PublishedFolder.Read(Folder, CPU).Model;

        Assert.Equal(("femto", 2_460_629L), (loaded.Plan.Size, loaded.Plan.Parameters));
        Assert.Equal("sequence", loaded.Plan.Config["rwkv_norm"]!.GetValue<string>());
        Assert.All(femto.NamedParameters, p => Assert.Equal(p.Value.HostArray<float>(), loaded.Weight(p.Name).HostArray<float>()));
    }

    [Theory]
    [InlineData("missing", $"the tensor {Moved} is missing.")]
    [InlineData("extra", "VUAF nano has no tensor lm_head.weight.")]
    [InlineData("misshapen", $"the tensor {Moved} has the shape [16, 24]. Allowed: [24, 16].")]
    public void Check_1_a_wrong_tensor_is_named(string what, string message)
    {
        Export();
        Set("name", "VUAF-1-Nano");
        string path = Path.Combine(Folder, VuafFolder.WeightsName), changed = path + ".new";
        using (var file = SafetensorsReader.Open(path))
        using (var stream = File.Create(changed))
        {
            var tensors = file.Entries.Select(e => (e.Name, Value: file.Read(e.Name))).ToList();
            int at = tensors.FindIndex(t => t.Name == Moved);
            if (what == "misshapen")
            {
                tensors[at] = (Moved, tensors[at].Value.transpose(0, 1).contiguous());
            }
            else if (what == "missing")
            {
                tensors.RemoveAt(at);
            }
            else
            {
                tensors.Add(("lm_head.weight", tensors[0].Value));
            }

            SafetensorsWriter.Write(stream, tensors);
        }

        File.Move(changed, path, overwrite: true);

        var error = Assert.Throws<BadInputException>(() => PublishedFolder.Read(Folder, CPU));

        Assert.EndsWith(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("n_layer", 6, "no field is called n_layer. Nearest: n_layers.")]
    [InlineData("dropout", 0.1, "dropout is 0.1. Allowed: 0")]
    [InlineData("rwkv_n_heads", 3, "rwkv_n_heads is 3. Allowed: 2.")]
    [InlineData("attn_head_dim", 5, "model.attn_head_dim is 5")]
    public void A_wrong_field_of_the_config_is_named(string field, double value, string message)
    {
        Export();
        Set(field, value);

        var error = Assert.Throws<InvalidDataException>(() => VuafFolder.Plan(Folder));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    private (VuafModel Model, ITokenizer Tokenizer) Export(object? overrides = null)
    {
        var tokenizer = VuafSmall.Tokenizer();
        var model = VuafSmall.Like(VuafSmall.Tiny(new { vocab_size = tokenizer.VocabSize }, float32), overrides ?? new { });
        PublishedFolder.Write(new TrainedModel(model, tokenizer), Folder);
        return (model, tokenizer);
    }

    private JsonObject Config() => JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, VuafFolder.ConfigName)))!.AsObject();

    private void Set(string field, JsonNode value)
    {
        var config = Config();
        config[field] = value;
        File.WriteAllText(Path.Combine(Folder, VuafFolder.ConfigName), config.ToJsonString());
    }
}
