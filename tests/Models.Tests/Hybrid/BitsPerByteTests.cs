using Hearth.Kernels;
using Hearth.Models;
using Hearth.Tokenizers;
using Hearth.Training;
using Hearth.Training.Evaluation;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Hybrid;

public sealed class BitsPerByteTests
{
    [Fact]
    public void Hybrid_check_13_bytes_of_three_sentences_are_those_counted_by_hand()
    {
        // "Hi you. é\n▁▁x" after two sentences that begin with a control token: the leading space of each is not in the text.
        (string Piece, PieceKind Kind, int Bytes)[] pieces =
        [
            ("<s>", PieceKind.Control, 0), ("▁Hi", PieceKind.Text, 2), ("▁you", PieceKind.Text, 4), (".", PieceKind.Text, 1),
            ("<s>", PieceKind.Control, 0), ("▁é", PieceKind.Text, 2), ("<0x0A>", PieceKind.Byte, 1), ("▁", PieceKind.Text, 1),
            ("<s>", PieceKind.Control, 0), ("▁▁x", PieceKind.Text, 4), ("▁▁x", PieceKind.Text, 5), ("日本", PieceKind.Text, 6),
        ];

        for (int i = 1; i < pieces.Length; i++)
        {
            Assert.Equal(pieces[i].Bytes, PieceBytes.Count(pieces[i].Piece, pieces[i].Kind, pieces[i - 1].Kind));
        }

        // 26 bytes at one bit each are 26·ln 2 nats, over however many tokens.
        long bytes = pieces.Sum(p => (long)p.Bytes);
        Assert.Equal(26, bytes);
        Assert.Equal(1.0, new BitsPerByte(26 * Math.Log(2), 11, bytes).Value, 1e-12);
    }

    [Fact]
    public void Disjoint_windows_drop_the_remainder()
    {
        Assert.Equal([new EvalWindow(0, 4, 0), new EvalWindow(4, 4, 0)], EvalWindows.Disjoint(11, 4));
        Assert.Empty(EvalWindows.Disjoint(3, 4));
    }

    [Theory]
    [InlineData(11, 4, 2)]
    [InlineData(3, 4, 2)]
    [InlineData(100, 16, 5)]
    [InlineData(16, 16, 16)]
    public void Sliding_windows_score_every_target_once(int targets, int length, int stride)
    {
        var windows = EvalWindows.Sliding(targets, length, stride).ToList();
        int[] scored = [.. windows.SelectMany(w => Enumerable.Range(w.Start + w.FirstScored + 1, w.Scored))];

        Assert.Equal(Enumerable.Range(1, targets), scored);
        Assert.All(windows, w => Assert.InRange(w.Length, 1, length));
        Assert.Equal(targets, windows[^1].Start + windows[^1].Length);
    }

    [Fact]
    public void Both_evaluations_of_a_model_sum_the_cross_entropy_of_their_targets()
    {
        using var scope = NewDisposeScope();
        var model = Families.Plan(Small.Model(family: "hybrid"), [])!.Build(ScalarType.Float64, CPU, 2);
        using var control = new TrainerControl();
        int[] stream = [.. Small.Draw(41, 256, 3).Select(i => (int)i)];
        var all = BitsPerByte.Of(model, stream, EvalWindows.Sliding(40, 40, 8), i => i % 3, control);
        var parts = BitsPerByte.Of(model, stream, EvalWindows.Disjoint(40, 16), _ => 1, control);
        using var quiet = no_grad();
        double Sum(int start, int length)
        {
            var logits = model.Logits(tensor(stream.Skip(start).Take(length).Select(i => (long)i).ToArray(), 1, length)).flatten(0, 1);
            return Functions.CrossEntropySum(logits, tensor(stream.Skip(start + 1).Take(length).Select(i => (long)i).ToArray())).Number();
        }

        Assert.Equal((40L, Enumerable.Range(1, 40).Sum(i => (long)(i % 3))), (all.Tokens, all.Bytes));
        Assert.Equal(Sum(0, 40), all.Nats, 1e-9);
        Assert.Equal((32L, 32L), (parts.Tokens, parts.Bytes));
        Assert.Equal(Sum(0, 16) + Sum(16, 16), parts.Nats, 1e-9);
        Assert.Equal(parts.Nats / Math.Log(2) / 32, parts.Value, 1e-12);
    }
}
