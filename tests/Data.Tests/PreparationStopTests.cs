using System.Diagnostics;
using Hearth.Runs;
using Hearth.Training.Data;
using Xunit;

namespace Hearth.Tests;

/// <summary>How far a preparation says it is, and how it ends where a stop is asked for.</summary>
public sealed class PreparationStopTests : IDisposable
{
    private static readonly string[] Steps =
        ["reading the dataset", "counting words", "learning the tokenizer", "tokenising", "sealing the dataset"];

    private readonly string _folder = Directory.CreateTempSubdirectory("hearth-stop-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Every_step_tells_how_far_it_is_and_ends_with_nothing_left_behind_where_a_stop_is_asked_for()
    {
        string source = Write(20_000);
        foreach (string stopped in Steps)
        {
            using var stop = new CancellationTokenSource();
            string cache = Path.Combine(_folder, "cache");
            Assert.Throws<OperationCanceledException>(() => PreparedDataset.Prepare(source, cache, new Preparation(400, 0.3), (what, _) =>
            {
                if (what == stopped)
                {
                    stop.Cancel();
                }
            }, stop.Token));
            Assert.True(!Directory.Exists(cache) || Directory.GetFileSystemEntries(cache).Length == 0, stopped);
        }

        Assert.Equal(Steps, Told(source));
        Assert.Equal(["reading the dataset", PreparedDataset.Verifying], Told(source));
    }

    [Theory]
    [InlineData(TokenizerKinds.ByteBpe)]
    [InlineData(TokenizerKinds.SentencePiece)]
    [InlineData(TokenizerKinds.LengthMax)]
    [Trait("Category", "Slow")]
    public void A_stop_at_any_moment_of_preparing_4_5_MB_without_a_space_ends_it_within_a_second(string kind)
    {
        string source = Write(4_500_000);
        var how = new Preparation(4096, 0.3, kind);
        var whole = Stopwatch.StartNew();
        PreparedDataset.Prepare(source, Path.Combine(_folder, "whole"), how);
        whole.Stop();
        var random = new Random(7);
        for (int i = 0; i < 12; i++)
        {
            using var stop = new CancellationTokenSource();
            TimeSpan asked = TimeSpan.Zero;
            using var heard = stop.Token.Register(() => asked = Used());
            stop.CancelAfter(whole.Elapsed * random.NextDouble() * 0.9);
            string last = "";
            var ended = Record.Exception(() => PreparedDataset.Prepare(source, Path.Combine(_folder, $"cache-{i}"), how, (what, share) => last = $"{what} {share}", stop.Token));

            // A faster run may be over before; processor time, for others may use the machine.
            Assert.True(ended is null or OperationCanceledException, $"{ended}");
            Assert.True(ended is null || Used() - asked < TimeSpan.FromSeconds(1), $"{last}: {Used() - asked}");
        }
    }

    private static TimeSpan Used()
    {
        using var own = Process.GetCurrentProcess();
        return own.TotalProcessorTime;
    }

    // What is told, in order; within each, shares rise.
    private List<string> Told(string source)
    {
        var told = new List<(string What, double Share)>();
        PreparedDataset.Prepare(source, Path.Combine(_folder, "told"), new Preparation(400, 0.3), (what, share) => told.Add((what, share)));
        Assert.All(told, t => Assert.InRange(t.Share, 0, 1));
        Assert.All(told.Zip(told.Skip(1)), pair => Assert.True(pair.First.What != pair.Second.What || pair.First.Share <= pair.Second.Share, $"{pair}"));
        return [.. told.Select(t => t.What).Distinct()];
    }

    // One long line without a space beside some others.
    private string Write(int length)
    {
        string path = Path.Combine(_folder, "text");
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, "long.txt"), OddTexts.WithoutSpaces(length));
        for (int d = 0; d < 12; d++)
        {
            File.WriteAllText(Path.Combine(path, $"d{d}.txt"), string.Concat(Enumerable.Repeat($"the cat {d} sat on the mat\n", 40)));
        }

        return path;
    }
}
