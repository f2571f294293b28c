using System.Text.Json;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Blocks;
using Hearth.Runs;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Qovaryx;

/// <summary>A row of two documents under doc_mask against the two documents on their own.</summary>
public sealed class DocumentMaskTests
{
    private const int First = 7;
    private const int Second = 9;
    private static readonly int[] Documents = [.. Enumerable.Repeat(0, First), .. Enumerable.Repeat(1, Second)];

    public static TheoryData<string, string> Pairs => Kinds.Pairs();

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Another_first_document_changes_no_logit_of_the_second(string ffn, string mtp)
    {
        var model = Kinds.Tiny(ffn, mtp);
        var (one, other) = (Row(1), Row(1));
        for (int t = 0; t < First; t++)
        {
            other[t] = (other[t] + 3) % 40;
        }

        double main = Distance(model.Logits(Ids(one), Masked), model.Logits(Ids(other), Masked));
        double further = Enumerable.Range(0, 3).Max(k => Distance(model.MtpLogits(Ids(one), Masked)[k], model.MtpLogits(Ids(other), Masked)[k]));

        Assert.InRange(main, 0, 1e-12);
        Assert.InRange(further, 0, 1e-12);
        Assert.True(Distance(model.Logits(Ids(one)), model.Logits(Ids(other))) > 1e-3, "without a mask the second document sees the first");

        static double Distance(Tensor a, Tensor b) => Small.Difference(a.narrow(1, First, a.size(1) - First).contiguous(), b.narrow(1, First, a.size(1) - First).contiguous());
    }

    /// <summary>Attention depends on distances alone, so a document reads the same wherever its row puts it.</summary>
    [Theory]
    [MemberData(nameof(Pairs))]
    public void Logits_losses_and_gradients_are_those_of_the_documents_on_their_own(string ffn, string mtp)
    {
        var model = Kinds.Tiny(ffn, mtp);
        int[] row = Row(2);
        (int[] Ids, int Length)[] alone = [(row[..First], First), (row[First..], Second)];

        var apart_1TV = cat([.. alone.Select(d => model.Logits(Ids(d.Ids)))], 1);
        Assert.InRange(Small.Difference(model.Logits(Ids(row), Masked), apart_1TV), 0, 1e-10);

        var together = new TrainingRows(row, row, row.Length) { Documents = Documents };
        var totals = model.Count(together);
        Assert.Equal(totals.Counts.Take(4), Enumerable.Range(0, 4).Select(k => (long)(First - k - 1 + Second - k - 1)));
        var (sums, gradient) = Train(model, together, totals);
        var parts = alone.Select(d => Train(model, new TrainingRows(d.Ids, d.Ids, d.Length), totals)).ToArray();

        // The routers' means are over other micro-batches: only the sums of cross entropies add up, and gradients where nothing routes.
        for (int k = 0; k < 4; k++)
        {
            Assert.Equal(parts[0].Sums[k] + parts[1].Sums[k], sums[k], 1e-9);
        }

        if (ffn != "routed_lowrank_swiglu")
        {
            foreach (var (name, value) in gradient)
            {
                Assert.InRange(Small.Difference(value, parts[0].Gradient[name] + parts[1].Gradient[name]), 0, 1e-9);
            }
        }
    }

    [Fact]
    public void Documents_and_an_image_are_refused_together()
    {
        var model = Small.Tiny(new { chart_patch_encoder_enabled = true });
        var extras = new RowExtras(new Dictionary<string, Tensor> { ["documents"] = Documents_BT, ["image"] = zeros([1, 3, 16, 16], float64) });

        Assert.Contains("image and documents", Assert.Throws<ArgumentException>(() => model.Logits(Ids(Row(3)), extras)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("qovaryx", true)]
    [InlineData("moa", false)]
    [InlineData("hybrid", false)]
    [InlineData("vuaf", false)]
    [InlineData("positronic", false)]
    public void A_family_that_cannot_is_refused_by_the_fields_name(string family, bool able)
    {
        var spec = new RunSpec
        {
            Name = "a",
            Model = new ModelSpec { Family = family, Size = Families.All.First(f => f.Name == family).Sizes[0], Overrides = { ["vocab_size"] = JsonSerializer.SerializeToElement(512) } },
            Data = new DataSpec { Dataset = "d", SeqLen = 64, DocMask = true },
        };

        var errors = RunChecks.Validate(JsonSerializer.SerializeToElement(spec, Json.Wire)).Errors;

        Assert.Equal(able ? [] : ["data.doc_mask"], errors.Select(e => e.Field));
        Assert.All(errors, e => Assert.EndsWith("Allowed: false, or Qovaryx.", e.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void The_forecast_counts_a_mask_for_the_trunk_and_for_each_block_module()
    {
        var plan = Small.Plan(new { mtp_kind = "block" });
        long without = MemoryForecast.Of(plan, 2, 128, "fp32").Total;

        Assert.Equal(4L * 2 * 128 * 128 * sizeof(float), MemoryForecast.Of(plan, 2, 128, "fp32", masksDocuments: true).Total - without);
    }

    private static Tensor Documents_BT => tensor(Documents, 1, Documents.Length);

    private static RowExtras Masked => new(new Dictionary<string, Tensor> { ["documents"] = Documents_BT });

    private static int[] Row(int seed)
    {
        var random = new Random(seed);
        return [.. Documents.Select(_ => random.Next(40))];
    }

    private static Tensor Ids(int[] row) => tensor(row, 1, row.Length).to(int64);

    private static (double[] Sums, Dictionary<string, Tensor> Gradient) Train(Decoder model, TrainingRows rows, LossTotals totals)
    {
        foreach (var weight in model.Parameters)
        {
            weight.grad?.zero_();
        }

        var ids = Ids(rows.Ids);
        var loss = model.Loss(model.Prepare(new LossInput(ids, ids, totals) { Extras = rows.Extras(0, 1) }, new TrainingStep(1, 0, 10, 1, 0)));
        loss.Total.backward();
        return ([.. loss.Terms.Select(t => t.Sum.Number())], model.NamedParameters.Where(p => p.Value.grad is not null).ToDictionary(p => p.Name, p => p.Value.grad!.clone()));
    }
}
