using System.Text.Json;
using Hearth.Models.Vuaf;
using Hearth.Tokenizers;
using Hearth.Training;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Vuaf;

/// <summary>A checkpoint is tied to its tokenizer, which encodes as the original does (on real text: <c>Vuaf_check_9</c> of Data.Tests).</summary>
public sealed class Check09_TokenizerTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():n}");

    public void Dispose()
    {
        _scope.Dispose();
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    [Fact]
    public void Check_9_a_folder_with_another_tokenizer_is_refused_by_both_hashes()
    {
        SentencePieceTokenizer own = VuafSmall.Tokenizer(), other = VuafSmall.Tokenizer("other words than those before");
        PublishedFolder.Write(new TrainedModel(VuafSmall.Tiny(new { vocab_size = own.VocabSize }, float32), own), _folder);
        VuafTokenizerFolder.Write(_folder, other);

        var error = Assert.Throws<TokenizerException>(() => PublishedFolder.Read(_folder, CPU));

        Assert.NotEqual(own.Sha256, other.Sha256);
        Assert.Contains(own.Sha256, error.Message, StringComparison.Ordinal);
        Assert.Contains(other.Sha256, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_9_a_folder_in_the_runtimes_own_format_states_no_hash_and_takes_its_tokenizer()
    {
        var tokenizer = VuafSmall.Tokenizer();
        PublishedFolder.Write(new TrainedModel(VuafSmall.Tiny(new { vocab_size = tokenizer.VocabSize }, float32), tokenizer), _folder);
        string path = Path.Combine(_folder, VuafFolder.ConfigName);
        var config = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(File.ReadAllText(path))!;
        Assert.True(config.Remove("tokenizer_sha256"));
        File.WriteAllText(path, JsonSerializer.Serialize(config));

        Assert.Equal(tokenizer.Sha256, PublishedFolder.Read(_folder, CPU).Tokenizer.Sha256);
    }

    [Theory]
    [InlineData("spm-bpe")]
    [InlineData("spm-bpe-bytes")]
    public void Check_9_ids_are_those_of_the_original_library_on_the_same_model(string name)
    {
        string files = Path.Combine(AppContext.BaseDirectory, "tokenizers");
        var tokenizer = SentencePieceTokenizer.Load(Path.Combine(files, name + ".model"));
        using var expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(files, name + ".expect.json")));

        Assert.InRange(expected.RootElement.GetArrayLength(), 100, int.MaxValue);
        Assert.All(expected.RootElement.EnumerateArray(), text =>
            Assert.Equal(text.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()), tokenizer.Encode(text.GetProperty("text").GetString()!)));
    }
}
