using Hearth.Models;
using Hearth.Runs;
using Hearth.Kernels;
using Hearth.Training.Checkpoints;
using Hearth.Training.Optim;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Contract;

/// <summary>Every family's parameters: names, groups, saving, and the optimizers' state over them.</summary>
public sealed class TensorContractTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void Optimizers_check_10_names_shapes_and_groups_of_every_size_match_the_stored_table(string family)
    {
        var contract = FamilyContract.Of(family);
        string[] lines = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "cases", $"{family}.tensors.txt"));
        Assert.Equal(contract.Family.Sizes.Order(), lines.Where(l => l.StartsWith('#')).Select(l => l[2..]).Order());
        foreach (string size in contract.Family.Sizes)
        {
            string[] stored = [.. lines.SkipWhile(l => l != $"# {size}").Skip(1).TakeWhile(l => !l.StartsWith('#'))];
            var tensors = contract.Plan(size).Tensors;

            Assert.Equal(stored, tensors.Select(t => $"{t.Name} {string.Join('x', t.Shape)} {t.Group.ToString().ToLowerInvariant()}"));
            Assert.Equal(tensors.Count, tensors.Select(t => t.Name).Distinct().Count());
        }
    }

    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void Optimizers_check_10_every_element_has_exactly_one_update_rule(string family)
    {
        var contract = FamilyContract.Of(family);
        var model = contract.Build(ScalarType.Float32);
        using var adam = Optimizer.Create(model, new OptimizerSpec());
        using var coded = Optimizer.Create(model, new OptimizerSpec { Name = "adamw8bit" });
        using var muon = Optimizer.Create(model, new OptimizerSpec { Name = "muon" });
        long Elements(Optimizer optimizer, params string[] prefixes) =>
            optimizer.State.Where(s => prefixes.Any(p => s.Name.StartsWith(p, StringComparison.Ordinal))).Sum(s => s.Value.numel());

        Assert.Equal(model.Plan.Parameters, Elements(adam, "m."));
        Assert.Equal(model.Plan.Parameters, Elements(coded, "m."));
        Assert.Equal(model.Plan.Parameters, Elements(muon, "m.", "mu."));
        Assert.Equal(model.Plan.Tensors.Sum(t => t.MuonRows.Sum() * t.Shape[^1]), Elements(muon, "mu."));
        Assert.Equal(muon.State.Count, muon.State.Select(s => s.Name).Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void Saved_and_loaded_weights_give_the_same_logits_bit_for_bit(string family)
    {
        var contract = FamilyContract.Of(family);
        var (saved, loaded) = (contract.Awake(ScalarType.Float32), contract.Build(ScalarType.Float32, seed: 9));
        var ids = contract.Ids(2, 24);
        using var quiet = no_grad();
        Assert.NotEqual(0.0, Small.Difference(saved.Logits(ids), loaded.Logits(ids)));

        Carry(saved.NamedParameters, [.. loaded.NamedParameters]);

        Assert.Equal(0.0, Small.Difference(saved.Logits(ids), loaded.Logits(ids)));
    }

    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void A_model_whose_weights_are_loaded_next_draws_no_number_and_is_the_saved_one_then(string family)
    {
        var contract = FamilyContract.Of(family);
        var saved = contract.Awake(ScalarType.Float32);
        Generators.Seed(3);
        using var drawn = rand(4);
        Generators.Seed(3);

        var loaded = contract.Plan().Build(ScalarType.Float32, CPU, seed: null);

        Assert.Equal(0.0, Small.Difference(drawn, rand(4)));
        Carry(saved.NamedParameters, [.. loaded.NamedParameters]);
        using var quiet = no_grad();
        var ids = contract.Ids(2, 24);
        Assert.Equal(0.0, Small.Difference(saved.Logits(ids), loaded.Logits(ids)));
        Assert.All(loaded.Parameters, p => Assert.True(p is { requires_grad: true, is_leaf: true }));
    }

    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void A_run_resumed_in_the_middle_ends_with_the_same_weights_under_every_optimizer(string family)
    {
        set_num_threads(1);
        var contract = FamilyContract.Of(family);
        foreach (var (name, decay) in new[] { ("adamw", "decoupled"), ("adamw", "coupled"), ("adamw8bit", "decoupled"), ("muon", "decoupled"), ("muon", "coupled") })
        {
            var spec = new OptimizerSpec { Name = name, AdamDecay = decay, Lr = 1e-3, MuonMomentumStart = 0.8, MuonMomentumSteps = 10 };
            var (straight, resumed) = (contract.Awake(ScalarType.Float32), contract.Build(ScalarType.Float32, seed: 9));
            using var a = Optimizer.Create(straight, spec);
            using var b = Optimizer.Create(resumed, spec);
            Advance(contract, straight, a, 0, 2);

            Carry(straight.NamedParameters, [.. resumed.NamedParameters]);
            Carry(a.State, b.State);
            b.Steps = a.Steps;
            Advance(contract, straight, a, 2, 4);
            Advance(contract, resumed, b, 2, 4);

            Assert.All(straight.Parameters.Zip(resumed.Parameters), p => Assert.Equal(0.0, Small.Difference(p.First, p.Second)));
        }
    }

    private static void Advance(FamilyContract contract, LanguageModel model, Optimizer optimizer, int from, int to)
    {
        for (int step = from; step < to; step++)
        {
            using var scope = NewDisposeScope();
            optimizer.ClearGradients();
            FamilyContract.Loss(model, contract.Ids(2, 16, seed: step), out _).Total.backward();
            optimizer.ClipGradNorm(1);
            optimizer.Step(1);
        }
    }

    private static void Carry(IEnumerable<(string Name, Tensor Value)> from, IReadOnlyList<(string Name, Tensor Value)> to)
    {
        string path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():n}.safetensors");
        try
        {
            using (var stream = File.Create(path))
            {
                SafetensorsWriter.Write(stream, [.. from]);
            }

            TensorFile.Load(path, to);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
