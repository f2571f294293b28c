using System.Runtime.InteropServices;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tokenizers;
using Hearth.Training.Data;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>Shards of the form of hybrid's section 6, in a folder with their tokenizer, as a dataset.</summary>
public sealed class TokenFilesTests : IDisposable
{
    private const int Vocabulary = 300;
    private readonly TempFolder _folder = new();
    private readonly ITokenizer _tokenizer;
    private readonly int[][] _documents;

    public TokenFilesTests()
    {
        string text = TinyRun.WriteText(_folder.Path);
        var trainer = TokenizerTrainers.Create(TokenizerKinds.ByteBpe);
        string[] texts = [.. Directory.GetFiles(text).Order(StringComparer.Ordinal).Select(File.ReadAllText)];
        foreach (string one in texts)
        {
            trainer.Add(one);
        }

        _tokenizer = trainer.Train(Vocabulary);
        _documents = [.. texts.Select(t => (int[])[.. _tokenizer.Encode(t), _tokenizer.EndToken])];
        Directory.CreateDirectory(Packed);
        File.WriteAllBytes(Path.Combine(Packed, _tokenizer.FileName), _tokenizer.File);

        // The first document goes on from one file into the next.
        int[] training = [.. _documents[..50].SelectMany(d => d)];
        Write("fineweb_train_000000.bin", training[..5]);
        Write("fineweb_train_000001.bin", training[5..]);
        Write("fineweb_val_000000.bin", [.. _documents[50..].SelectMany(d => d), 7]);
    }

    private string Packed => _folder.At("packed");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Tokens_and_documents_are_those_of_the_files_in_order_and_are_imported_once()
    {
        string folder = Prepare();
        using var training = Shard.Open(Path.Combine(folder, PreparedDataset.TrainName));
        using var validation = Shard.Open(Path.Combine(folder, PreparedDataset.ValidationName));

        Assert.Equal(_documents[..50].Select(d => d.Length), Enumerable.Range(0, (int)training.DocumentCount).Select(d => training.Extent(d).Length));
        int[] read = new int[training.Tokens];
        training.Read(0, read);
        Assert.Equal(_documents[..50].SelectMany(d => d), read);

        // What stands behind the last end token is a document too.
        Assert.Equal((11, 1), (validation.DocumentCount, validation.Extent(10).Length));
        var manifest = PreparedDataset.Verify(folder);
        Assert.Equal((training.Tokens, validation.Tokens, 61L), (manifest.TrainTokens, manifest.ValidationTokens, manifest.Documents));
        Assert.Equal(folder, Prepare());

        Write("fineweb_train_000001.bin", [1, 2, 3]);
        Assert.NotEqual(folder, Prepare());
    }

    [Fact]
    public void A_run_trains_on_them_alone()
    {
        using var control = new TrainerControl();
        var sink = new ListSink();

        int exit = new JobRunner(sink, control, TimeProvider.System).Run(TinyRun.Job(_folder, "work") with { DatasetPath = Packed });

        Assert.True(exit == ExitCodes.Done, string.Join("\n", sink.All));
        Assert.True(sink.Of<StepEvent>()[^1].Loss < sink.Of<StepEvent>()[0].Loss);
        Assert.Equal(2, sink.Of<SampleEvent>().Count);
    }

    [Theory]
    [InlineData(0, 20240521, "magic 20240521. Allowed: 20240520.")]
    [InlineData(1, 2, "version 2. Allowed: 1.")]
    [InlineData(2, 4, "number of tokens 4. Allowed: 3, what its 1030 bytes hold.")]
    public void A_header_that_is_wrong_is_refused_by_field_and_value(int word, int value, string words)
    {
        Write("fineweb_train_000001.bin", [1, 2, 3]);
        string path = Path.Combine(Packed, "fineweb_train_000001.bin");
        byte[] bytes = File.ReadAllBytes(path);
        BitConverter.GetBytes(value).CopyTo(bytes, word * sizeof(int));
        File.WriteAllBytes(path, bytes);

        Assert.Equal($"fineweb_train_000001.bin has {words}", Assert.Throws<DatasetException>(Prepare).Message);
        Assert.Empty(Directory.GetDirectories(_folder.At("imported")));
    }

    [Fact]
    public void A_token_of_another_tokenizer_a_missing_part_and_a_small_model_are_refused()
    {
        Write("fineweb_train_000001.bin", [1, 300]);
        Assert.Equal("fineweb_train_000001.bin has token 1 300. Allowed: 0 to 299, the tokenizer's.", Assert.Throws<DatasetException>(Prepare).Message);

        Assert.Contains("model.vocab_size is 299. Allowed: at least 300.", Assert.Throws<DatasetException>(() => Prepare(299)).Message, StringComparison.Ordinal);

        File.Delete(Path.Combine(Packed, "fineweb_val_000000.bin"));
        Assert.Contains("has no file *val*.bin.", Assert.Throws<DatasetException>(Prepare).Message, StringComparison.Ordinal);
    }

    private string Prepare() => Prepare(Vocabulary);

    private string Prepare(int vocabulary) => PreparedDataset.Prepare(Packed, _folder.At("imported"), new Preparation(vocabulary, 0.1));

    private void Write(string name, int[] tokens)
    {
        int[] header = new int[256];
        (header[0], header[1], header[2]) = (20240520, 1, tokens.Length);
        byte[] body = MemoryMarshal.AsBytes(Array.ConvertAll(tokens, t => (ushort)t).AsSpan()).ToArray();
        File.WriteAllBytes(Path.Combine(Packed, name), [.. MemoryMarshal.AsBytes(header.AsSpan()), .. body]);
    }
}
