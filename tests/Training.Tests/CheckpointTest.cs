using Hearth.Models;
using Hearth.Runs;
using TorchSharp;

namespace Hearth.Training.Tests;

/// <summary>A test that writes small checkpoints: a folder and a tensor scope that go away with it.</summary>
public abstract class CheckpointTest : IDisposable
{
    private readonly DisposeScope _scope = torch.NewDisposeScope();

    private protected TempFolder Folder { get; } = new();

    public void Dispose()
    {
        _scope.Dispose();
        Folder.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>A path below the test's folder.</summary>
    protected string At(params string[] parts) => Folder.At(parts);

    /// <summary>A small model of a family and a checkpoint of it, with a byte-level tokenizer.</summary>
    protected (LanguageModel Model, string Folder) Checkpoint(string family)
    {
        var model = SmallCheckpoint.Model(family);
        return (model, SmallCheckpoint.Write(At("checkpoints"), model, SmallCheckpoint.Tokenizer(TokenizerKinds.ByteBpe)));
    }
}
