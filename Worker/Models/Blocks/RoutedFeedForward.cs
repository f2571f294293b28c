using static TorchSharp.torch;

// B batch, T time, D model width, N routed rows, E experts.
namespace Hearth.Models.Blocks;

/// <summary>What the routers of one forward pass chose, in the order in which they ran.</summary>
/// <param name="training">Whether limits on experts hold; decoding must not drop what a longer text would keep.</param>
public sealed class RouterTape(bool training)
{
    private readonly List<(Routing Routing, Tensor Logits_NE)> _entries = [];

    public bool Training => training;

    public IEnumerable<Routing> Routings => _entries.Select(e => e.Routing);

    public void Add(Routing routing, Tensor logits_NE) => _entries.Add((routing, logits_NE));

    /// <summary>Runs a block that writes to a tape of its own, and adds what it wrote: on a second run nothing comes twice.</summary>
    public Tensor Gather(BlockTape blocks, Tensor[] inputs, Func<Tensor[], RouterTape, Tensor> block)
    {
        const int each = 4;
        Tensor[] all = blocks.Run(inputs, entered =>
        {
            var own = new RouterTape(training);
            var output = block(entered, own);
            return [output, .. own._entries.SelectMany(e => (Tensor[])[e.Routing.Probabilities_NE, e.Routing.Experts_NK, e.Routing.Gates_NK, e.Logits_NE])];
        });
        for (int i = 1; i < all.Length; i += each)
        {
            _entries.Add((new Routing(all[i], all[i + 1], all[i + 2]), all[i + 3]));
        }

        return all[0];
    }

    /// <summary>Mean over routers of <see cref="Experts.LoadBalance"/>.</summary>
    public Tensor LoadBalance() => stack([.. _entries.Select(e => Experts.LoadBalance(e.Routing))]).mean();

    /// <summary>Mean over routers of <see cref="Experts.RouterZ"/>.</summary>
    public Tensor RouterZ() => stack([.. _entries.Select(e => Experts.RouterZ(e.Logits_NE))]).mean();
}

/// <summary>Top-k of several feed-forward networks of one kind, chosen per token (<see cref="Experts"/>). Pads are not routed and get 0.</summary>
/// <param name="Expert">What each expert is.</param>
/// <param name="CapacityFactor">Limit on an expert's rows in training; 0 = none.</param>
public sealed record RoutedFeedForwardConfig(FeedForwardConfig Expert, int Dim, int Experts, int TopK, double CapacityFactor) : FeedForwardConfig
{
    public override double MultiplyAdds => (TopK * Expert.MultiplyAdds) + ((double)Experts * Dim);

    public override double Activations => (TopK * (Expert.Activations + Dim)) + (3.0 * Experts);

    public override FeedForward Build(Weights w) => new Routed(this, w);

    private sealed class Routed(RoutedFeedForwardConfig config, Weights w) : FeedForward
    {
        private readonly Tensor _router_ED = w.Vector("router", Init.Normal(0.02), config.Experts, config.Dim);
        private readonly FeedForward[] _experts = [.. Enumerable.Range(0, config.Experts).Select(e => config.Expert.Build(w.Under($"expert{e}")))];

        public override Tensor Forward(Tensor x_BTD, ForwardContext context)
        {
            int batch = (int)x_BTD.size(0), time = (int)x_BTD.size(1);
            var all_ND = x_BTD.reshape(-1, config.Dim);
            long[]? tokens = context.Layout?.TokenRows();
            var rows_ND = tokens is null ? all_ND : all_ND.index_select(0, Index(tokens, all_ND));
            var logits_NE = nn.functional.linear(rows_ND.to(_router_ED.dtype), _router_ED);
            var routing = Blocks.Experts.Route(logits_NE, config.TopK);
            context.Routers?.Add(routing, logits_NE);

            // First come, first served: by position, then by row of the batch.
            var capacity = config.CapacityFactor > 0 && context.Routers is { Training: true }
                ? new ExpertCapacity(config.CapacityFactor, [.. (tokens ?? All(batch * time)).Select(n => (n % time * batch) + (n / time))])
                : null;
            var out_ND = Blocks.Experts.Dispatch(rows_ND, routing, (e, rows_SD) => _experts[e].Forward(rows_SD, context), capacity);
            return (tokens is null ? out_ND : Spread(out_ND, tokens, batch * time)).view(batch, time, config.Dim);
        }

        // Rows back to their places; the others read a row of zeros at the end.
        private static Tensor Spread(Tensor rows_ND, long[] places, int count)
        {
            long[] from = new long[count];
            Array.Fill(from, places.Length);
            for (int i = 0; i < places.Length; i++)
            {
                from[places[i]] = i;
            }

            return cat([rows_ND, zeros([1, rows_ND.size(1)], rows_ND.dtype, rows_ND.device)]).index_select(0, Index(from, rows_ND));
        }

        private static IEnumerable<long> All(int count) => Enumerable.Range(0, count).Select(n => (long)n);

        private static Tensor Index(long[] values, Tensor like) => tensor(values).to(like.device);
    }
}
