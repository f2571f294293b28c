using Hearth.Runs;
using TorchSharp;
using Xunit;

namespace Hearth.Training.Tests;

public sealed class ImportWarningTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Imported_weights_that_are_not_finite_are_named()
    {
        string folder = _folder.At("published");
        using (torch.NewDisposeScope())
        {
            var model = SmallCheckpoint.Model("qovaryx");
            using (torch.no_grad())
            {
                model.Weight("blocks.0.ffn_norm").fill_(double.NaN);
            }

            PublishedFolder.Write(new TrainedModel(model, SmallCheckpoint.Tokenizer(TokenizerKinds.ByteBpe)), folder);
        }

        var result = TrainerCommandLine.Run("import", folder, _folder.At("imported"));

        Assert.Equal(ExitCodes.Done, result.Exit);
        Assert.Matches(@"^warning: 1 of \d+ tensors have values that are not finite: blocks\.0\.ffn_norm \((\d+) of \1\)\. A run from here skips every step that reads them\.$", result.Errors.Trim());
        Assert.True(Directory.Exists(_folder.At("imported")));
    }
}
