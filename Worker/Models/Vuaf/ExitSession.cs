using Hearth.Models.Decoding;
using static TorchSharp.torch;

// B batch, T new rows, S rows so far, D model width, V vocabulary, r loop step from 1 to R.
namespace Hearth.Models.Vuaf;

/// <summary>
/// Decoding with one cache per loop step and exact early exit. A token that stops at step r leaves its state waiting;
/// when a later token goes deeper, all rows that wait run first, as one chunk, so every state is what full depth would have made.
/// One buffer holds each position's latest state; counter r says how many positions step r has seen, and what lies between two
/// counters is the queue. The counters are shared by all rows of a batch.
/// </summary>
internal sealed class ExitSession(VuafModel model, ExitOptions exit) : IExitSession
{
    private readonly DecodeCache[] _past = [.. Enumerable.Range(0, model.LoopSteps).Select(_ => new DecodeCache())];
    private readonly long[] _seen = new long[model.LoopSteps + 1];
    private readonly RowCache _rows_B1SD = new();
    private int[] _loopSteps = [];
    private IReadOnlyList<IReadOnlyList<double>> _halting = [];

    public IReadOnlyList<int> LoopSteps => _loopSteps;

    public IReadOnlyList<IReadOnlyList<double>> Halting => _halting;

    /// <summary>By loop step.</summary>
    internal IReadOnlyList<DecodeCache> Past => _past;

    /// <summary>How many positions each step has consumed; at 0, how many there are.</summary>
    internal IReadOnlyList<long> Seen => _seen;

    public Tensor Step(Tensor ids_BT)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        Append(ids_BT);
        long time = ids_BT.size(1);
        var last_BTD = Advance(1, time);
        for (int r = 2; r <= model.LoopSteps; r++)
        {
            last_BTD = Advance(r, time);
        }

        return model.Head(model.Norm(last_BTD)).MoveToOuterDisposeScope();
    }

    public Tensor Emit(Tensor ids_BT)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        bool prompt = _seen[0] == 0;
        Append(ids_BT);
        var readout = new ExitReadout(model, exit, (int)ids_BT.size(0));
        for (int r = 1; r <= model.LoopSteps && (!readout.Done || (prompt && !exit.LazyPrefill)); r++)
        {
            var last_B1D = Advance(r, 1);
            if (!readout.Done)
            {
                readout.Add(model.Norm(last_B1D.select(1, 0)));
            }
        }

        CatchUp(exit.QueueRows);
        (_loopSteps, _halting) = (readout.LoopSteps, readout.Halting);
        return readout.Logits().MoveToOuterDisposeScope();
    }

    /// <summary>Runs every step for which more than so many rows wait; each feeds the next.</summary>
    internal void CatchUp(int waiting = 0)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        for (int r = 2; r <= model.LoopSteps; r++)
        {
            if (_seen[r - 1] - _seen[r] > waiting)
            {
                Advance(r, 1);
            }
        }
    }

    public void Dispose()
    {
        _rows_B1SD.Dispose();
        foreach (var past in _past)
        {
            past.Dispose();
        }
    }

    private void Append(Tensor ids_BT)
    {
        _rows_B1SD.Append(model.Embed(ids_BT).unsqueeze(1));
        _seen[0] = _rows_B1SD.Length;
    }

    // Step r over all rows that wait for it, of which the last are read. Their positions count on from what its caches hold.
    // After the last step the others have nowhere to go on to: they only move its states.
    private Tensor Advance(int r, long read)
    {
        long first = _seen[r], count = _seen[r - 1] - first;
        var waiting_BTD = _rows_B1SD.Rows.select(1, 0).narrow(1, first, count);
        bool last = r == model.LoopSteps;
        var out_BTD = model.Stack(waiting_BTD.clone(), first, _past[r - 1], last ? read : count);
        if (!last)
        {
            waiting_BTD.copy_(out_BTD);
        }

        _seen[r] = _seen[r - 1];
        return VuafMixer.Last(out_BTD, read);
    }
}

/// <summary>
/// Decoding under the norm over the sequence: a new token changes the statistics of all before it, so nothing can be cached and
/// the whole text runs again for each.
/// </summary>
internal sealed class RecomputeSession(VuafModel model, ExitOptions exit) : IExitSession
{
    private readonly Kept _ids_BS = new();
    private int[] _loopSteps = [];
    private IReadOnlyList<IReadOnlyList<double>> _halting = [];

    public IReadOnlyList<int> LoopSteps => _loopSteps;

    public IReadOnlyList<IReadOnlyList<double>> Halting => _halting;

    public Tensor Step(Tensor ids_BT)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        Append(ids_BT);
        return model.Logits(_ids_BS.Value!).narrow(1, _ids_BS.Value!.size(1) - ids_BT.size(1), ids_BT.size(1)).MoveToOuterDisposeScope();
    }

    public Tensor Emit(Tensor ids_BT)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        Append(ids_BT);
        var readout = new ExitReadout(model, exit, (int)ids_BT.size(0));
        foreach (var n_BTD in model.Loop(_ids_BS.Value!, model.LoopSteps, null).TakeWhile(_ => !readout.Done))
        {
            readout.Add(n_BTD.select(1, n_BTD.size(1) - 1));
        }

        (_loopSteps, _halting) = (readout.LoopSteps, readout.Halting);
        return readout.Logits().MoveToOuterDisposeScope();
    }

    public void Dispose() => _ids_BS.Dispose();

    private void Append(Tensor ids_BT) => _ids_BS.Set(_ids_BS.Value is null ? ids_BT : cat([_ids_BS.Value, ids_BT], 1));
}
