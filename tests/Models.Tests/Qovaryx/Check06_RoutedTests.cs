using Hearth.Models;
using Hearth.Models.Blocks;
using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Qovaryx;

/// <summary>Checks 6 and 7: low rank against dense, and routing in the whole model.</summary>
public sealed class Check06_RoutedTests : IDisposable
{
    private static readonly Dictionary<string, Tensor> NoExtras = [];
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Check_6_full_rank_factors_of_a_dense_model_give_its_outputs()
    {
        var dense = Small.Tiny(new { mtp_kind = "block" });
        var low = Small.Tiny(new { mtp_kind = "block", ffn_kind = "lowrank_swiglu", ffn_rank = 16 });
        using var quiet = no_grad();
        foreach (var (name, weight) in dense.NamedParameters)
        {
            if (!name.Contains(".ffn.", StringComparison.Ordinal))
            {
                low.Weight(name).copy_(weight);
                continue;
            }

            var (u, s, vt) = linalg.svd(weight, fullMatrices: false);
            low.Weight(name + "_a").copy_(vt);
            low.Weight(name + "_b").copy_(u * s);
        }

        var ids = Small.Ids(2, 15, 40);
        Assert.InRange(Small.Difference(dense.Logits(ids), low.Logits(ids)), 0, 1e-10);
        Assert.All(dense.MtpLogits(ids).Zip(low.MtpLogits(ids)), p => Assert.InRange(Small.Difference(p.First, p.Second), 0, 1e-10));
    }

    [Theory]
    [InlineData("lowrank_swiglu")]
    [InlineData("routed_lowrank_swiglu")]
    public void Factors_start_with_the_variance_of_a_dense_matrix(string kind)
    {
        var model = Small.Plan(new { ffn_kind = kind }).Build(ScalarType.Float32, CPU, 5);
        string ffn = kind == "lowrank_swiglu" ? "blocks.1.ffn" : "blocks.1.ffn.expert2";
        double Deviation(Tensor w) => Math.Sqrt(w.pow(2).mean().Number());

        // Xavier's √(2/(64 + 176)) over rank 16; down carries 1/√(2L), here a half.
        Assert.InRange(Deviation(model.Weight(ffn + ".gate_b").mm(model.Weight(ffn + ".gate_a"))) / Math.Sqrt(2.0 / 240), 0.85, 1.15);
        Assert.InRange(Deviation(model.Weight(ffn + ".down_b").mm(model.Weight(ffn + ".down_a"))) / Math.Sqrt(2.0 / 240), 0.42, 0.58);
    }

    [Theory]
    [InlineData(1, "res", 2)]
    [InlineData(2, "block", 5)]
    public void Check_7_every_token_has_k_different_experts_in_every_router(int topK, string mtp, int routers)
    {
        var model = Routed(topK, mtp);
        using var quiet = no_grad();
        var routings = model.Routings(Small.Ids(2, 12, 40));

        Assert.Equal(routers, routings.Count);
        for (int i = 0; i < routers; i++)
        {
            // Two layers see all rows, module k sees k fewer of each text.
            long rows = 2 * (12 - Math.Max(0, i - 1));
            Assert.Equal([rows, topK], routings[i].Experts_NK.shape);
            Assert.All(routings[i].Experts_NK.HostArray<long>().Chunk(topK), chosen => Assert.Equal(topK, chosen.Distinct().Count()));
        }
    }

    [Fact]
    public void Check_7_a_limit_drops_what_is_over_it_in_training_and_nothing_in_decoding()
    {
        var model = Routed(1, "res", 0.5);
        using var quiet = no_grad();
        var ids = Small.Ids(2, 12, 40);
        var routing = model.Routings(ids)[0];
        var plan = DispatchPlan.Of(routing.Experts_NK.HostArray<long>(), 1, 4, ExpertCapacity.ByPosition(0.5, 2, 12));

        // ⌈0.5 · 24 / 4⌉ rows an expert.
        Assert.All(plan.Counts, n => Assert.InRange(n, 0, 3));
        Assert.Contains(plan.Places, p => p == plan.Rows.Length);
        Assert.True(Small.Difference(model.Logits(ids), model.TrainingLogits(ids, NoExtras)) > 1e-6);
        using var session = model.StartDecode();
        var decoded = cat([.. Enumerable.Range(0, 12).Select(t => session.Step(ids.narrow(1, t, 1)))], 1);
        Assert.InRange(Small.Difference(model.Logits(ids), decoded), 0, 1e-9);
        Assert.InRange(Small.Difference(Routed(1, "res", 100).TrainingLogits(ids, NoExtras), model.Logits(ids)), 0, 1e-12);
    }

    [Fact]
    public void Check_7_the_balance_is_one_for_an_even_router_and_within_zero_and_E_for_any()
    {
        var model = Routed(2, "block");
        var ids = Small.Ids(2, 12, 40);
        double any = Term(model, ids, "lb");
        Assert.InRange(any, double.Epsilon, 4);
        using (no_grad())
        {
            foreach (var tensor in model.Plan.Tensors.Where(t => t.Name.EndsWith(".router", StringComparison.Ordinal)))
            {
                model.Weight(tensor.Name).zero_();
            }
        }

        Assert.Equal(1, Term(model, ids, "lb"), 1e-12);
        Assert.Equal(Math.Pow(Math.Log(4), 2), Term(model, ids, "z"), 1e-12);
        Assert.NotEqual(1, any, 1e-6);
    }

    [Fact]
    public void Pads_are_not_routed_and_count_in_no_loss()
    {
        var model = Routed(1, "block");
        var ids = Small.Ids(1, 12, 40);
        long[] padded = [.. ids.HostArray<long>().Take(8), .. Enumerable.Repeat(0L, 4)], labels = [.. padded.Take(8), .. Enumerable.Repeat(-100L, 4)];
        var alone = Loss(model, ids.narrow(1, 0, 8), ids.narrow(1, 0, 8), []);
        var among = Loss(model, tensor(padded, [1, 12]), tensor(labels, [1, 12]), new() { ["lengths"] = tensor(new[] { 8L }) });

        Assert.Equal(alone.Total.Number(), among.Total.Number(), 1e-10);
        Assert.All(alone.Terms.Zip(among.Terms), p => Assert.Equal(p.First.Sum.Number(), p.Second.Sum.Number(), 1e-9));
    }

    [Fact]
    public void Under_a_limit_pads_take_no_place_in_training_logits_and_in_the_routers_choices()
    {
        var model = Routed(2, "block", 0.5);
        var ids = Small.Ids(2, 12, 40);
        var lengths = new Dictionary<string, Tensor> { ["lengths"] = tensor(new[] { 8L, 8L }) };
        using var quiet = no_grad();
        var (alone, among) = (model.TrainingLogits(ids.narrow(1, 0, 8), NoExtras), model.TrainingLogits(ids, lengths));

        Assert.InRange(Small.Difference(alone, among.narrow(1, 0, 8)), 0, 1e-10);
        var (few, many) = (model.Routings(ids.narrow(1, 0, 8)), model.Routings(ids, new RowExtras(lengths)));
        Assert.All(few.Zip(many), p => Assert.Equal(p.First.Experts_NK.HostArray<long>(), p.Second.Experts_NK.HostArray<long>()));
    }

    [Fact]
    public void A_target_after_the_last_token_brings_no_further_row_to_the_routers()
    {
        var model = Routed(1, "block");
        var ids = Small.Ids(2, 12, 40);
        var without = Loss(model, ids, ids, NoExtras);
        var with = Loss(model, ids, cat([ids, ids.narrow(1, 0, 1)], 1), NoExtras);

        var routers = model.Terms.Select((name, i) => (Name: name, Index: i)).Where(t => t.Name is "lb" or "z").ToArray();
        Assert.Equal(2, routers.Length);
        Assert.All(routers, t => Assert.Equal(without.Terms[t.Index].Sum.Number(), with.Terms[t.Index].Sum.Number(), 1e-12));
    }

    [Fact]
    public void Micro_batches_share_the_routers_losses_evenly()
    {
        var model = Routed(1, "res");
        var ids = Small.Ids(2, 12, 40);
        var whole = Loss(model, ids, ids, []);
        int lb = model.Terms.ToList().IndexOf("lb");
        var totals = model.Count(Kinds.Text(ids), 12) with { MicroBatches = 2 };
        var half = model.Loss(model.Prepare(new LossInput(ids, ids, totals), new TrainingStep(1, 0, 10, 1, 0)));

        Assert.Equal(whole.Terms[lb].Sum.Number() / 2, half.Terms[lb].Sum.Number(), 1e-12);
        Assert.Equal(0.0, model.Loss(ids, ids, totals).Terms[lb].Sum.Number());
    }

    [Fact]
    public void An_expert_without_rows_has_a_gradient_of_zero()
    {
        var model = Routed(1, "res");
        using (no_grad())
        {
            model.Weight("blocks.0.ffn.router").zero_();
        }

        var ids = Small.Ids(2, 6, 40);
        Loss(model, ids, ids, []).Total.backward();

        // Of equal probabilities the first is taken.
        Assert.True(model.Weight("blocks.0.ffn.expert0.up_a").grad!.abs().sum().Number() > 0);
        Assert.Equal(0.0, model.Weight("blocks.0.ffn.expert3.up_a").grad!.abs().sum().Number());
    }

    private static Decoder Routed(int topK, string mtp, double capacity = 0) => Small.Tiny(
        new { ffn_kind = "routed_lowrank_swiglu", ffn_rank = 6, ffn_top_k = topK, mtp_kind = mtp, capacity_factor = capacity });

    private static double Term(Decoder model, Tensor ids, string name) =>
        Loss(model, ids, ids, []).Terms[model.Terms.ToList().IndexOf(name)].Sum.Number();

    private static LossResult Loss(Decoder model, Tensor ids, Tensor labels, Dictionary<string, Tensor> extras) =>
        model.Loss(model.Prepare(new LossInput(ids, labels, model.Count(Kinds.Text(labels), (int)labels.size(1))) { Extras = extras }, new TrainingStep(1, 0, 10, 1, 0)));
}
