using Hearth.Models.Decoding;
using static TorchSharp.torch;

// B batch, T new rows, D model width, K multi-token heads.
namespace Hearth.Models.Blocks;

public sealed partial class Decoder
{
    // One code that rounds the other way moves a logit by hundredths; bf16 products differ by as much.
    private const double RoundingMargin = 0.05;
    private const double NarrowMargin = 0.02;

    public override IDecodeSession StartDecode() => new Session(this);

    /// <summary>
    /// Decoding with caches of keys and values. Drafts depend on the committed text and the id after it alone: a module's cache holds
    /// its rows whose token is known, rows that read drafts are taken back after each draft.
    /// </summary>
    private sealed class Session(Decoder model) : ISpeculativeSession
    {
        private readonly DecodeCache _past = new();
        private readonly ModuleRows[] _modules = [.. model._mtp.Select(m => new ModuleRows(m.MixesRows))];
        private readonly List<int> _text = [];
        private bool _drafts = true;
        private long _length;
        private Block? _block;

        public int MaxDrafts => _drafts ? model._mtp.Length : 0;

        public double Margin => model._config.RoundsInputs && model.Dtype == float32 ? RoundingMargin
            : model._compute == bfloat16 ? NarrowMargin : Speculation.Fp32Margin;

        /// <remarks>Keeps nothing to draft from: <see cref="Feed(IReadOnlyList{int}, int)"/> does.</remarks>
        public Tensor Step(Tensor ids_BT)
        {
            using var quiet = no_grad();
            using var scope = NewDisposeScope();
            _drafts = false;
            var hidden_BTD = Run(ids_BT);
            _length += ids_BT.size(1);
            return model.Head(hidden_BTD, model._finalNorm_D).MoveToOuterDisposeScope();
        }

        public Tensor Feed(IReadOnlyList<int> ids, int count)
        {
            if (_block is not null)
            {
                throw new InvalidOperationException("The last block is neither committed nor taken back.");
            }

            using var quiet = no_grad();
            using var scope = NewDisposeScope();
            var hidden_1TD = Run(Ids(ids));
            var logits = model.Head(hidden_1TD.narrow(1, ids.Count - count, count), model._finalNorm_D);
            _block = new Block([.. ids], hidden_1TD.DetachFromDisposeScope());
            return logits.MoveToOuterDisposeScope();
        }

        public void Commit(int rows)
        {
            var block = _block ?? throw new InvalidOperationException("No block was fed.");
            if (block.Drafted is { } drafted && drafted != rows)
            {
                throw new InvalidOperationException($"Drafts were made after {drafted} rows of the block, and {rows} are committed.");
            }

            using var scope = NewDisposeScope();
            _length += rows;
            if (rows < block.Ids.Length)
            {
                _past.Truncate(_length);
            }

            if (block.Drafted is null && _drafts && _modules.Length > 0)
            {
                _modules[0].Add(block.Hidden_1TD.narrow(1, 0, rows));
            }

            _text.AddRange(block.Ids.Take(rows));
            block.Hidden_1TD.Dispose();
            _block = null;
        }

        public IReadOnlyList<int> Draft(int row, int next, int count)
        {
            var block = _block ?? throw new InvalidOperationException("No block was fed.");
            if (MaxDrafts == 0)
            {
                return [];
            }

            using var quiet = no_grad();
            using var scope = NewDisposeScope();
            _block = block with { Drafted = row + 1 };
            List<int> text = [.. _text, .. block.Ids.Take(row + 1), next];
            var hidden_1TD = block.Hidden_1TD.narrow(1, 0, row + 1);
            long last = _length + row;
            for (int k = 1; k <= model._mtp.Length; k++)
            {
                hidden_1TD = _modules[k - 1].Known(hidden_1TD);
                hidden_1TD = Run(k, hidden_1TD, text, last);
                text.Add(model.Proposal(k, hidden_1TD.narrow(1, hidden_1TD.size(1) - 1, 1)));
            }

            return text[^model._mtp.Length..][..Math.Min(count, model._mtp.Length)];
        }

        public void Dispose()
        {
            _block?.Hidden_1TD.Dispose();
            _past.Dispose();
            foreach (var module in _modules)
            {
                module.Dispose();
            }
        }

        // Module k over its rows up to the last one of the text; states of the same rows. Keeps those that read no draft.
        private Tensor Run(int k, Tensor before_1TD, List<int> text, long last)
        {
            var rows = _modules[k - 1];
            if (!rows.MixesRows)
            {
                // Without a block a row needs no other.
                rows.Forget();
                var only_11D = before_1TD.narrow(1, before_1TD.size(1) - 1, 1);
                return model._mtp[k - 1].Forward(only_11D, model.Embed(Ids([text[(int)last + k]])), model.Context(last));
            }

            long first = rows.Past.Length;
            var next_1TD = model.Embed(Ids(text.GetRange((int)first + k, (int)(last - first) + 1)));
            var after_1TD = model._mtp[k - 1].Forward(before_1TD, next_1TD, model.Context(first) with { Past = rows.Past });

            // Row t is known where token t + k is: the id after row `last` is final, later ones are drafts.
            long known = Math.Max(0, last + 2 - k);
            rows.Past.Truncate(known);
            rows.Keep(before_1TD.narrow(1, known - first, Math.Max(0, Math.Min(last, last + 2 - k) + 1 - known)));
            return after_1TD;
        }

        // The trunk over new rows: their un-normed states.
        private Tensor Run(Tensor ids_BT)
        {
            model.Fits(_length + ids_BT.size(1));

            return model.Trunk(model.Embed(ids_BT), model.Context(_length) with { Past = _past });
        }

        private Tensor Ids(IReadOnlyList<int> ids)
        {
            long[] wide = [.. ids.Select(id => (long)id)];
            return tensor(wide, 1, wide.Length).to(model.Device);
        }

        /// <summary>Rows that were fed and not yet committed; after how many of them drafts were made.</summary>
        private sealed record Block(int[] Ids, Tensor Hidden_1TD, int? Drafted = null);
    }

    /// <summary>A module's cache, and states of the module before it at rows that are known and not in the cache.</summary>
    private sealed class ModuleRows(bool mixesRows) : IDisposable
    {
        private readonly Kept _waiting_1TD = new();

        public bool MixesRows => mixesRows;

        public DecodeCache Past { get; } = new();

        /// <summary>The waiting rows and those behind them.</summary>
        public Tensor Known(Tensor rows_1TD) => _waiting_1TD.Value is null ? rows_1TD : cat([_waiting_1TD.Value, rows_1TD], 1);

        public void Add(Tensor rows_1TD)
        {
            // A module without a block reads its last row only.
            if (mixesRows)
            {
                Keep(Known(rows_1TD));
            }
        }

        public void Keep(Tensor rows_1TD)
        {
            if (rows_1TD.size(1) == 0)
            {
                Forget();
            }
            else
            {
                _waiting_1TD.Set(rows_1TD);
            }
        }

        public void Forget() => _waiting_1TD.Clear();

        public void Dispose()
        {
            Forget();
            Past.Dispose();
        }
    }
}
