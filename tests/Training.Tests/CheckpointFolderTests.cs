using System.Text;
using Hearth.Protocol;
using Hearth.Tokenizers;
using Hearth.Training.Checkpoints;
using Xunit;

namespace Hearth.Training.Tests;

public sealed class CheckpointFolderTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_was_written_verifies_and_is_listed_oldest_first()
    {
        Write(20);
        string path = Write(3);

        var manifest = CheckpointFolder.Verify(path);

        Assert.Equal(3, manifest.Step);
        Assert.Equal(5, manifest.Files.Count);
        Assert.Equal(["step-000000003", "step-000000020"], CheckpointFolder.List(_folder.Path).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData(CheckpointFolder.WeightsName)]
    [InlineData(CheckpointFolder.OptimizerName)]
    [InlineData(CheckpointFolder.StateName)]
    [InlineData(TokenizerFile.JsonName)]
    public void A_flipped_bit_is_refused_by_the_files_name(string name)
    {
        string path = Write(1);
        byte[] bytes = File.ReadAllBytes(Path.Combine(path, name));
        bytes[^1] ^= 1;
        File.WriteAllBytes(Path.Combine(path, name), bytes);

        var e = Assert.Throws<CorruptCheckpointException>(() => CheckpointFolder.Verify(path));
        Assert.Contains(name, e.Message, StringComparison.Ordinal);
        Assert.Contains("SHA-256", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_short_or_missing_file_and_a_missing_manifest_are_refused()
    {
        string path = Write(1);
        string weights = Path.Combine(path, CheckpointFolder.WeightsName);
        File.WriteAllText(weights, "x");
        Assert.Contains("its manifest says", Assert.Throws<CorruptCheckpointException>(() => CheckpointFolder.Verify(path)).Message, StringComparison.Ordinal);
        File.Delete(weights);
        Assert.Contains("is missing", Assert.Throws<CorruptCheckpointException>(() => CheckpointFolder.Verify(path)).Message, StringComparison.Ordinal);
        File.Delete(Path.Combine(path, CheckpointFolder.ManifestName));
        Assert.Contains("never completed", Assert.Throws<CorruptCheckpointException>(() => CheckpointFolder.Verify(path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(200)]
    [InlineData(900)]
    public void A_full_disk_leaves_nothing_behind_and_the_earlier_checkpoint_whole(int room)
    {
        string before = Write(1);
        int left = room;
        Assert.Throws<IOException>(() => Write(2, name => new SmallDisk(File.Create(name), () => left, used => left -= used)));

        Assert.Equal([before], Directory.GetDirectories(_folder.Path));
        CheckpointFolder.Verify(before);
    }

    [Fact]
    public void Leftovers_of_a_killed_writer_are_cleaned_and_a_replaced_folder_is_put_back()
    {
        string path = Write(1);
        Directory.CreateDirectory(CheckpointFolder.PathOf(_folder.Path, 2) + ".tmp");
        Directory.Move(path, path + ".old");
        Assert.Empty(CheckpointFolder.List(_folder.Path));

        CheckpointFolder.Clean(_folder.Path);

        Assert.Equal([path], Directory.GetDirectories(_folder.Path));
        CheckpointFolder.Verify(path);
    }

    [Fact]
    public void A_step_reached_again_replaces_its_folder_and_pruning_keeps_the_newest()
    {
        foreach (long step in (long[])[1, 2, 3, 3])
        {
            Write(step);
        }

        CheckpointFolder.Prune(_folder.Path, 2);

        Assert.Equal(["step-000000002", "step-000000003"], CheckpointFolder.List(_folder.Path).Select(Path.GetFileName));
        Assert.Equal(2, Directory.GetDirectories(_folder.Path).Length);
    }

    private string Write(long step, Func<string, Stream>? open = null)
    {
        string[] names = [CheckpointFolder.WeightsName, CheckpointFolder.OptimizerName, CheckpointFolder.StateName, CheckpointFolder.ConfigName, TokenizerFile.JsonName];
        return CheckpointFolder.Write(
            _folder.Path,
            step,
            [.. names.Select(n => new CheckpointFile(n, s => s.Write(Encoding.UTF8.GetBytes(new string('a', 100) + n))))],
            files => new CheckpointManifest { Step = step, Tokens = step * 10, Trace = TraceHash.Empty.ToString(), TokenizerSha256 = "t", Files = files },
            open);
    }
}
