using System.Text.Json.Nodes;
using Hearth.Models.Vuaf;
using Hearth.Torch;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>Published checkpoint folders: written, read back strictly, refused by name.</summary>
public sealed class VuafFolderTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();
    private readonly string _folder = Directory.CreateTempSubdirectory("vuaf").FullName;

    public void Dispose()
    {
        _scope.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("token")]
    [InlineData("sequence")]
    public void Check_1_a_written_folder_is_read_back_bit_for_bit(string norm)
    {
        var model = VuafSmall.Tiny(new { rwkv_norm = norm }, float32);
        VuafFolder.Save(model, _folder, "abc");

        var again = VuafFolder.Load(_folder, float32, CPU);

        Assert.All(model.named_parameters(), p => Assert.Equal(p.parameter.ToArray<float>(), again.Weight(p.name).ToArray<float>()));
        Assert.Equal(norm == "token", Config().ContainsKey("rwkv_norm"));
        Assert.Equal(norm, again.Plan.Config["rwkv_norm"]!.GetValue<string>());
        Assert.Equal("abc", VuafFolder.TokenizerSha256(_folder));
        var metadata = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder, VuafFolder.MetadataName)))!;
        Assert.Equal(model.Plan.Parameters, metadata["n_parameters"]!.GetValue<long>());
        using var quiet = no_grad();
        var ids = Small.Ids(1, 9, 40);
        Assert.Equal(0.0, Small.Difference(model.Logits(ids), again.Logits(ids)));
    }

    [Fact]
    public void Check_1_the_old_name_loads_as_femto_with_the_runtimes_defaults_and_its_norm()
    {
        File.WriteAllText(Path.Combine(_folder, VuafFolder.ConfigName), "{\"name\":\"VUAF-Pico\",\"dropout\":0,\"rwkv_n_heads\":4}");

        var plan = VuafFolder.Plan(_folder);

        Assert.Equal(("femto", 2_460_629L), (plan.Size, plan.Parameters));
        Assert.Equal("sequence", plan.Config["rwkv_norm"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("missing", "the tensor blocks.2.channel_mix.module.w2.weight is missing.")]
    [InlineData("extra", "VUAF nano has no tensor lm_head.weight.")]
    [InlineData("misshapen", "the tensor blocks.2.channel_mix.module.w2.weight has the shape [16, 24]. Allowed: [24, 16].")]
    public void Check_1_a_wrong_tensor_is_named(string what, string message)
    {
        VuafFolder.Save(VuafSmall.Tiny(null, float32), _folder);
        Set("name", "VUAF-1-Nano");
        const string name = "blocks.2.channel_mix.module.w2.weight";
        string path = Path.Combine(_folder, VuafFolder.WeightsName), changed = path + ".new";
        using (var file = SafetensorsReader.Open(path))
        using (var stream = File.Create(changed))
        {
            var tensors = file.Entries.Select(e => (e.Name, Value: file.Read(e.Name))).ToList();
            int at = tensors.FindIndex(t => t.Name == name);
            if (what == "misshapen")
            {
                tensors[at] = (name, tensors[at].Value.transpose(0, 1).contiguous());
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

        var error = Assert.Throws<InvalidDataException>(() => VuafFolder.Load(_folder, float32, CPU));

        Assert.EndsWith(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("n_layer", 6, "no field is called n_layer. Nearest: n_layers.")]
    [InlineData("dropout", 0.1, "dropout is 0.1. Allowed: 0")]
    [InlineData("rwkv_n_heads", 3, "rwkv_n_heads is 3. Allowed: 2.")]
    [InlineData("attn_head_dim", 5, "model.attn_head_dim is 5")]
    public void A_wrong_field_of_the_config_is_named(string field, double value, string message)
    {
        VuafFolder.Save(VuafSmall.Tiny(null, float32), _folder);
        Set(field, value);

        var error = Assert.Throws<InvalidDataException>(() => VuafFolder.Plan(_folder));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_weights_is_refused_by_path()
    {
        VuafFolder.Save(VuafSmall.Tiny(null, float32), _folder);
        File.Delete(Path.Combine(_folder, VuafFolder.WeightsName));

        Assert.Contains(VuafFolder.WeightsName, Assert.Throws<FileNotFoundException>(() => VuafFolder.Load(_folder, float32, CPU)).Message, StringComparison.Ordinal);
    }

    private JsonObject Config() => JsonNode.Parse(File.ReadAllText(Path.Combine(_folder, VuafFolder.ConfigName)))!.AsObject();

    private void Set(string field, JsonNode value)
    {
        var config = Config();
        config[field] = value;
        File.WriteAllText(Path.Combine(_folder, VuafFolder.ConfigName), config.ToJsonString());
    }
}
