using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Training.Checkpoints;
using TorchSharp;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>Export and import of every family, bit for bit, and what a broken or hostile folder is told.</summary>
public sealed class PublishedFolderTests : CheckpointTest
{
    [Theory]
    [InlineData("qovaryx", TokenizerKinds.ByteBpe)]
    [InlineData("moa", TokenizerKinds.ByteBpe)]
    [InlineData("positronic", TokenizerKinds.LengthMax)]
    [InlineData("hybrid", TokenizerKinds.SentencePiece)]
    [InlineData("vuaf", TokenizerKinds.SentencePiece)]
    [InlineData("vuaf", TokenizerKinds.ByteBpe)]
    public void Exported_and_imported_weights_are_the_checkpoints_bytes(string family, string tokenizer)
    {
        string checkpoint = SmallCheckpoint.Write(At("checkpoints"), SmallCheckpoint.Model(family), SmallCheckpoint.Tokenizer(tokenizer));
        string published = At("published"), imported = At("imported");
        PublishedFolder.Write(TrainedModel.FromCheckpoint(checkpoint, torch.CPU), published);
        var read = PublishedFolder.Read(published, torch.CPU);
        ImportedCheckpoint.Write(read, imported, ImportedCheckpoint.DefaultSpec(read.Model));

        Assert.Equal(0, CheckpointFolder.Verify(imported).Step);
        Assert.Equal(Bytes(checkpoint, CheckpointFolder.WeightsName), Bytes(imported, CheckpointFolder.WeightsName));
        Assert.Equal(CheckpointFolder.Tokenizer(checkpoint).Sha256, CheckpointFolder.Tokenizer(imported).Sha256);
        Assert.Equal(family, TrainedModel.Load(imported, torch.CPU).Model.Plan.Family);
        PublishedFolder.Write(TrainedModel.FromCheckpoint(imported, torch.CPU), At("again"));
        Assert.Equal(Bytes(published, PublishedFolder.WeightsName), Bytes(At("again"), PublishedFolder.WeightsName));
    }

    [Theory]
    [InlineData(TokenizerKinds.ByteBpe, """{"do_sample":true,"temperature":0.8,"top_k":50,"max_length":256,"eos_token_id":0}""", """{"tokenizer_class":"PreTrainedTokenizerFast","model_max_length":256,"clean_up_tokenization_spaces":false,"eos_token":"<eos>"}""")]
    [InlineData(TokenizerKinds.LengthMax, """{"do_sample":true,"temperature":0.8,"top_k":50,"max_length":256,"bos_token_id":2,"eos_token_id":3,"pad_token_id":0}""", null)]
    public void Others_find_how_to_open_the_weights_and_where_a_text_ends(string kind, string generation, string? described)
    {
        PublishedFolder.Write(new TrainedModel(SmallCheckpoint.Model("qovaryx"), SmallCheckpoint.Tokenizer(kind)), At("published"));

        using var weights = SafetensorsReader.Open(Path.Combine(At("published"), PublishedFolder.WeightsName));
        Assert.Equal("pt", weights.Metadata["format"]);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(generation), Parsed("generation_config.json")), $"{Parsed("generation_config.json")}");
        Assert.True(JsonNode.DeepEquals(described is null ? null : JsonNode.Parse(described), Parsed("tokenizer_config.json")), $"{Parsed("tokenizer_config.json")}");

        JsonNode? Parsed(string name) => Path.Combine(At("published"), name) is var path && File.Exists(path) ? JsonNode.Parse(File.ReadAllText(path)) : null;
    }

    [Fact]
    public void Every_family_and_size_is_described_whole_by_its_config()
    {
        foreach (var (family, size) in Families.All.SelectMany(f => f.Sizes.Select(s => (f.Name, s))))
        {
            var plan = Families.Plan(new ModelSpec { Family = family, Size = size }, [])!;
            var overrides = plan.Config.ToDictionary(f => f.Key, f => System.Text.Json.JsonSerializer.SerializeToElement(f.Value));
            var errors = new List<FieldError>();
            var again = Families.Plan(new ModelSpec { Family = family, Size = size, Overrides = overrides }, errors);

            Assert.True(errors.Count == 0, $"{family} {size}: {string.Join(" ", errors.Select(e => e.Message))}");
            Assert.True(JsonNode.DeepEquals(plan.Config, again!.Config), $"{family} {size}");
        }
    }

    [Fact]
    public void A_run_goes_on_from_an_imported_checkpoint()
    {
        var spec = TinyRun.Spec();
        var first = new ListSink();
        using var control = new TrainerControl();
        Assert.Equal(ExitCodes.Done, new JobRunner(first, control, TimeProvider.System).Run(TinyRun.Job(Folder, "first", spec)));
        PublishedFolder.Write(TrainedModel.FromCheckpoint(CheckpointFolder.PathOf(At("first", "checkpoints"), TinyRun.Steps), torch.CPU), At("published"));
        ImportedCheckpoint.Write(PublishedFolder.Read(At("published"), torch.CPU), At("imported"), spec);

        var second = new ListSink();
        Assert.Equal(ExitCodes.Done, new JobRunner(second, control, TimeProvider.System).Run(TinyRun.Job(Folder, "second", spec, At("imported"))));

        Assert.Equal(0, second.Of<StartedEvent>()[0].Step);
        Assert.True(second.Of<StepEvent>()[0].Loss < first.Of<StepEvent>()[0].Loss, "the weights were not taken over");
    }

    [Theory]
    [InlineData("truncated", "bytes are too few for a header length")]
    [InlineData("long header", "the header length is 9999999999")]
    [InlineData("out of range", "the tensor smear.gate lies at")]
    [InlineData("overlap", "overlap")]
    [InlineData("dtype", "the tensor smear.gate has dtype C64.")]
    [InlineData("integers", "the tensor smear.gate has the type Int32.")]
    [InlineData("missing", "the tensor smear.gate is missing.")]
    [InlineData("extra", "Hybrid nano has no tensor smear.other.")]
    [InlineData("negative", "the tensor smear.gate has the shape [-1, 0]. Allowed: sizes of at least 0.")]
    [InlineData("shape", "the tensor smear.gate has the shape [")]
    public void A_broken_weights_file_is_refused_by_the_tensors_name(string what, string message)
    {
        string folder = Published();
        Break(Path.Combine(folder, PublishedFolder.WeightsName), what);

        var error = Assert.ThrowsAny<Exception>(() => PublishedFolder.Read(folder, torch.CPU));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.BadInput, Failures.Classify(error).Exit);
    }

    [Theory]
    [InlineData("family", "5", "config.json: family is 5. Allowed: text.")]
    [InlineData("family", "\"nobody\"", "No family is called nobody.")]
    [InlineData("depth", "3", "No field is called model.depth.")]
    [InlineData("tokenizer_sha256", "\"00\"", "was trained with the tokenizer 00")]
    [InlineData("vocab_size", "5000", "the tensor tok_emb has the shape")]
    public void A_wrong_field_of_the_config_is_named(string field, string value, string message)
    {
        string folder = Published(), path = Path.Combine(folder, PublishedFolder.ConfigName);
        var config = JsonNode.Parse(File.ReadAllText(path))!;
        config[field] = JsonNode.Parse(value);
        File.WriteAllText(path, config.ToJsonString());

        var error = Assert.ThrowsAny<Exception>(() => PublishedFolder.Read(folder, torch.CPU));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.BadInput, Failures.Classify(error).Exit);
    }

    [Fact]
    public void The_commands_export_import_and_refuse_a_folder_that_is_there()
    {
        string checkpoint = SmallCheckpoint.Write(At("checkpoints"), SmallCheckpoint.Model("hybrid"), SmallCheckpoint.Tokenizer(TokenizerKinds.ByteBpe));

        Assert.Equal(ExitCodes.Done, TrainerCommandLine.Run("export", checkpoint, At("out")).Exit);
        Assert.Equal(ExitCodes.Done, TrainerCommandLine.Run("import", At("out"), At("in")).Exit);
        Assert.Equal(Bytes(checkpoint, CheckpointFolder.WeightsName), Bytes(At("in"), CheckpointFolder.WeightsName));
        var again = TrainerCommandLine.Run("import", At("out"), At("in"));
        Assert.Equal((ExitCodes.BadInput, $"hearth-trainer: {At("in")} is there already. Allowed: a folder that is new or empty."), (again.Exit, again.Errors.TrimEnd()));
    }

    private string Published()
    {
        PublishedFolder.Write(new TrainedModel(SmallCheckpoint.Model("hybrid"), SmallCheckpoint.Tokenizer(TokenizerKinds.ByteBpe)), At("published"));
        return At("published");
    }

    private static void Break(string path, string what)
    {
        byte[] file = File.ReadAllBytes(path);
        int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(file);
        var header = JsonNode.Parse(Encoding.UTF8.GetString(file, 8, length))!.AsObject();
        var gate = header["smear.gate"]!;
        switch (what)
        {
            case "truncated":
                File.WriteAllBytes(path, file[..5]);
                return;
            case "long header":
                BinaryPrimitives.WriteUInt64LittleEndian(file, 9_999_999_999);
                File.WriteAllBytes(path, file);
                return;
            case "out of range":
                gate["data_offsets"] = new JsonArray(1L << 40, (1L << 40) + 256);
                break;
            case "overlap":
                long bytes = gate["data_offsets"]![1]!.GetValue<long>() - gate["data_offsets"]![0]!.GetValue<long>();
                gate["data_offsets"] = new JsonArray(header["tok_emb"]!["data_offsets"]![0]!.GetValue<long>(), header["tok_emb"]!["data_offsets"]![0]!.GetValue<long>() + bytes);
                break;
            case "negative":
                gate["shape"] = new JsonArray(-1, 0);
                gate["data_offsets"] = new JsonArray(0, 0);
                break;
            case "dtype":
                gate["dtype"] = "C64";
                break;
            case "integers":
                gate["dtype"] = "I32";
                break;
            case "missing":
                header.Remove("smear.gate");
                break;
            case "extra":
                header["smear.other"] = JsonNode.Parse("""{"dtype":"F32","shape":[0],"data_offsets":[0,0]}""");
                break;
            default:
                gate["shape"]!.AsArray().Add(1);
                break;
        }

        byte[] json = Encoding.UTF8.GetBytes(header.ToJsonString());
        byte[] size = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(size, (ulong)json.Length);
        File.WriteAllBytes(path, [.. size, .. json, .. file[(8 + length)..]]);
    }

    private static byte[] Bytes(string folder, string name) => File.ReadAllBytes(Path.Combine(folder, name));
}
