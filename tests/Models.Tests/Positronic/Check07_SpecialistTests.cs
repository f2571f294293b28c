using Hearth.Kernels;
using Hearth.Models.Positronic;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Positronic;

/// <summary>Check 7: the memory that is written while reading. A chunk of the nano model has 16 positions.</summary>
public sealed class Check07_SpecialistTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();
    private readonly IDisposable _quiet = no_grad();

    public void Dispose()
    {
        _quiet.Dispose();
        _scope.Dispose();
    }

    [Fact]
    public void Check_7_a_frozen_empty_memory_contributes_nothing()
    {
        var model = Nano.Open();
        model.SetRingMemoryWriting(false);

        var frozen = model.LogitsWithMemory(Nano.Ids(2, 40));

        Assert.Equal(0.0, Nano.Changed(frozen, Nano.Open(new { use_ring_specialists = false }).Logits(Nano.Ids(2, 40))));
        Assert.Null(model.RingStores());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(16)]
    [InlineData(23)]
    public void Check_7_pieces_of_any_length_equal_the_whole_across_chunk_ends(int piece)
    {
        var model = Nano.Open(dtype: ScalarType.Float32);
        var ids = Nano.Ids(2, 50);
        var whole = model.Logits(ids);
        using var session = model.StartDecode();

        var parts = new List<Tensor>();
        for (int t = 0; t < 50; t += piece)
        {
            parts.Add(session.Step(ids.narrow(1, t, Math.Min(piece, 50 - t))));
        }

        Assert.InRange(Nano.Changed(whole, cat(parts, 1)), 0, 1e-4);
        Assert.NotEqual(0.0, Nano.Changed(whole, Nano.Open(new { use_ring_specialists = false }, ScalarType.Float32).Logits(ids)));
    }

    [Theory]
    [InlineData(16)]
    [InlineData(5)]
    [InlineData(41)]
    public void Check_7_stores_are_written_by_any_text_that_has_ended(int length)
    {
        var model = Nano.Open();

        model.LogitsWithMemory(Nano.Ids(1, length));
        double direct = Norm(model);
        model.KeepRingMemory = false;
        using (var session = model.StartDecode())
        {
            session.Step(Nano.Ids(1, length));
            Assert.Null(model.RingStores());
        }

        Assert.True(direct > 0);
        Nano.Near(direct, Norm(model), 1e-9);
    }

    [Fact]
    public void Check_7_a_reset_restores_the_first_logits_bit_for_bit()
    {
        var model = Nano.Open();
        var ids = Nano.Ids(1, 40);

        var first = model.LogitsWithMemory(ids);
        var second = model.LogitsWithMemory(ids);
        model.ResetRingMemory();
        var third = model.LogitsWithMemory(ids);

        Assert.NotEqual(0.0, Nano.Changed(first, second));
        Assert.Equal(0.0, Nano.Changed(first, third));
        Assert.Equal(0.0, Nano.Changed(first, model.Logits(ids)));
    }

    [Fact]
    public void Check_7_a_frozen_memory_is_read_and_three_calls_are_alike()
    {
        var model = Nano.Open();
        var ids = Nano.Ids(1, 40);
        var empty = model.LogitsWithMemory(ids);
        model.SetRingMemoryWriting(false);
        var stores = model.RingStores()!.Value;

        Tensor[] calls = [model.LogitsWithMemory(ids), model.LogitsWithMemory(ids), model.LogitsWithMemory(ids)];

        Assert.NotEqual(0.0, Nano.Changed(empty, calls[0]));
        Assert.All(calls, c => Assert.Equal(0.0, Nano.Changed(calls[0], c)));
        Assert.Equal(0.0, Nano.Changed(stores.Out_LBRES, model.RingStores()!.Value.Out_LBRES));
    }

    [Fact]
    public void Check_7_training_neither_reads_nor_writes_what_is_kept()
    {
        var model = Nano.Open();
        var ids = Nano.Ids(1, 40);
        double before = Nano.Train(model, ids).Loss.Total.Number();
        model.LogitsWithMemory(ids);
        var stores = model.RingStores()!.Value;

        Assert.Equal(before, Nano.Train(model, ids).Loss.Total.Number());
        Assert.Equal(0.0, Nano.Changed(stores.In_LBRES, model.RingStores()!.Value.In_LBRES));
    }

    [Fact]
    public void Check_7_a_kept_memory_reaches_the_next_session_and_a_usual_one_starts_empty()
    {
        var model = Nano.Open();
        var ids = Nano.Ids(1, 20);
        Run(model, ids);
        var stores = model.RingStores()!.Value;
        var alone = model.Logits(ids);

        model.KeepRingMemory = true;
        var kept = Run(model, ids);
        model.SetRingStores(stores.In_LBRES, stores.Out_LBRES);
        var whole = model.LogitsWithMemory(ids);
        model.KeepRingMemory = false;

        Assert.NotEqual(0.0, Nano.Changed(alone, kept));
        Assert.InRange(Nano.Changed(whole, kept), 0, 1e-10);
        Assert.InRange(Nano.Changed(alone, Run(model, ids)), 0, 1e-10);
    }

    [Fact]
    public void Stores_of_another_batch_size_are_refused_until_a_reset()
    {
        var model = Nano.Open();
        model.LogitsWithMemory(Nano.Ids(2, 8));

        var error = Assert.Throws<InvalidOperationException>(() => model.LogitsWithMemory(Nano.Ids(1, 8)));

        Assert.Contains("of 2 rows, the text has 1", error.Message, StringComparison.Ordinal);
        model.ResetRingMemory();
        model.LogitsWithMemory(Nano.Ids(1, 8));
    }

    private static Tensor Run(PositronicModel model, Tensor ids)
    {
        using var session = model.StartDecode();
        return session.Step(ids);
    }

    private static double Norm(PositronicModel model) => Math.Sqrt(model.RingStores()!.Value.Out_LBRES.pow(2).sum().Number());
}
