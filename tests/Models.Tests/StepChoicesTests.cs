using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Blocks;
using Hearth.Models.Moa;
using Hearth.Runs;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>What the host decides of a step stands in one value, and nothing that a recording reads is freed under it.</summary>
public class StepChoicesTests
{
    private const int Steps = 12, Length = 16;

    /// <summary>Families under fields that change with the step, and the steps at which a new choice is made.</summary>
    public static TheoryData<string, string, int[]> Schedules => new()
    {
        { "qovaryx", "{}", [] },
        { "hybrid", "{}", [8] },
        { "moa", """{"router_topk":2,"router_soft_steps":5,"ti_weight":0}""", [5] },
        { "moa", """{"router_topk":0,"ti_weight":0.5,"ti_ramp_steps":9}""", [] },
        { "vuaf", """{"entropy_reg_coef":0,"halt_warm_start":0.5}""", [6] },
        { "vuaf", """{"halt_only":true}""", [] },
        { "positronic", "{}", [9] },
    };

    [Theory]
    [MemberData(nameof(Schedules))]
    public void Steps_of_equal_choices_give_equal_bits_of_equal_inputs_and_others_do_not(string family, string fields, int[] changes)
    {
        var errors = new List<FieldError>();
        var overrides = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(fields)!;
        var model = Contract.FamilyContract.Awake(Families.Plan(new ModelSpec { Family = family, Size = "nano", Overrides = overrides }, errors)!.Build(float64, CPU, 1, float64));
        var ids_BT = Small.Ids(2, Length, model.Plan.VocabSize);
        var input = new LossInput(ids_BT, ids_BT, model.Count([.. ids_BT.HostArray<long>().Select(i => (int)i)], Length));
        var made = model.Prepare(input, At(0)).Made;

        var first = new Dictionary<StepChoices, (int Step, string Bits)>();
        for (int step = 0; step < Steps; step++)
        {
            var prepared = model.Prepare(input, At(step)) with { Made = made };
            string bits = Bits(model, prepared);
            if (first.TryGetValue(prepared.Choices!, out var known))
            {
                Assert.Equal(known.Bits, bits);
            }
            else
            {
                Assert.DoesNotContain(bits, first.Values.Select(f => f.Bits));
                first.Add(prepared.Choices!, (step, bits));
            }
        }

        Assert.Equal([0, .. changes], first.Values.Select(f => f.Step));
    }

    [Fact]
    public void No_loss_can_see_the_step()
    {
        const BindingFlags all = BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
        var held = typeof(LanguageModel).Assembly.GetTypes()
            .Where(t => !t.IsDefined(typeof(CompilerGeneratedAttribute)))
            .SelectMany(t => t.GetFields(all))
            .Where(f => f.FieldType == typeof(TrainingStep));

        Assert.Empty(held.Select(f => $"{f.DeclaringType}.{f.Name}"));
        Assert.All(
            typeof(LanguageModel).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(LanguageModel))).SelectMany(t => t.GetMethods(all)).Where(m => m.Name == nameof(LanguageModel.Loss)),
            m => Assert.DoesNotContain(m.GetParameters(), p => p.ParameterType == typeof(TrainingStep)));
    }

    [Fact]
    public void Choices_are_values_that_compare_by_what_they_hold()
    {
        var choices = typeof(StepChoices).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(StepChoices))).ToArray();

        Assert.NotEmpty(choices);
        Assert.All(choices.SelectMany(t => t.GetProperties()), p => Assert.True(p.PropertyType.IsPrimitive || p.PropertyType.IsEnum || p.PropertyType == typeof(string), $"{p.DeclaringType}.{p.Name}"));
    }

    [Fact]
    public void Tables_that_a_recording_reads_outlive_longer_rows()
    {
        var rope = new RopeTables(float32, CPU);
        var x_BHTN = ones([1, 1, 8, 4], float32, CPU);
        var before = rope.Turn(x_BHTN, 1e4, 0);
        var made = new RowTables<Tensor>(rows => arange(0, rows, float64).DetachFromDisposeScope());
        var held = made.For(8);
        var longer = made.For(4096);

        Assert.Equal((64, 4096), (held.size(0), longer.size(0)));
        Assert.Equal(63, held.narrow(0, 63, 1).Number());
        Assert.Same(held, made.For(64));
        Assert.Same(longer, made.For(100));
        rope.Turn(ones([1, 1, 4096, 4], float32, CPU), 1e4, 0);
        Assert.Equal(0, Small.Difference(before, rope.Turn(x_BHTN, 1e4, 0)));
    }

    [Fact]
    public void Fourier_tables_keep_the_rows_that_were_handed_out()
    {
        var tables = new FourierTables(8, 2, 1e4, float32, CPU);
        var (positions, sines, _) = tables.Rows(0, 16);
        double[] before = sines.HostArray<double>();
        tables.Rows(0, 4096);

        Assert.Equal(before, sines.HostArray<double>());
        Assert.Equal(15, positions.HostArray<double>()[^1]);
    }

    private static TrainingStep At(int step) => new(1, step, Steps, 1, 0) { Quantize = step >= 8 };

    // Total, terms and a sum over every gradient.
    private static string Bits(LanguageModel model, LossInput input)
    {
        using var scope = NewDisposeScope();
        manual_seed(5);
        var loss = model.Loss(input);
        loss.Total.backward();
        double gradients = 0;
        foreach (var weight in model.Parameters)
        {
            gradients += weight.grad is { } gradient ? gradient.sum().Number() : 0;
            weight.grad = null;
        }

        return string.Join(' ', (double[])[loss.Total.Number(), gradients, .. loss.Terms.Select(t => t.Sum.Number())]);
    }
}
