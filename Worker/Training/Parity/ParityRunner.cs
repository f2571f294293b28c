using System.Globalization;
using Hearth.Models;
using Hearth.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Training.Parity;

/// <summary>
/// Runs a parity case: given weights and inputs, compares logits, losses, gradient norms, optimizer steps and greedy
/// continuations with what an independent implementation computed.
/// </summary>
public sealed partial class ParityRunner : IDisposable
{
    private const int PromptTokens = 8;
    private readonly SafetensorsReader _file;
    private readonly ParityCase _case;
    private readonly string _dtypeName;
    private readonly ScalarType _dtype;
    private readonly Device _device;
    private readonly List<(string Name, Tensor Value)> _results = [];
    private readonly SortedDictionary<string, (double Difference, string Where)> _worst = new(StringComparer.Ordinal);
    private readonly List<string> _skipped = [];
    private readonly CaseInputs _inputs;

    private ParityRunner(SafetensorsReader file, string dtype, Device device)
    {
        (_file, _case, _dtypeName, _device) = (file, ParityCase.Read(file), dtype, device);
        _dtype = dtype switch
        {
            "fp64" => float64,
            "fp32" => float32,
            _ => throw new BadInputException($"dtype is {dtype}. Allowed: fp64, fp32."),
        };
        _inputs = new CaseInputs(file, _case.Metadata, _dtype, device);
    }

    /// <param name="path">A case file.</param>
    /// <param name="dtype">fp64 or fp32.</param>
    /// <param name="device">cpu or cuda:N.</param>
    /// <param name="output">Where to write the results under the case's names; null = nowhere.</param>
    /// <param name="log">Gets one line per kind.</param>
    /// <returns>0 when every difference is within its tolerance, else 1.</returns>
    /// <exception cref="BadInputException">No case, or one of a model that cannot be built; names the field.</exception>
    public static int Run(string path, string dtype, string device, string? output, TextWriter log)
    {
        using var scope = NewDisposeScope();
        using var file = SafetensorsReader.Open(path);
        using var runner = new ParityRunner(file, dtype, torch.device(device));
        runner.Forward();
        runner.LossAndGradients();
        runner.Recipes();
        runner.Variants();
        runner.GreedyText();
        return runner.Report(output, log);
    }

    public void Dispose()
    {
        foreach (var (_, value) in _results)
        {
            value.Dispose();
        }
    }

    private LanguageModel Load(ModelPlan? plan = null)
    {
        var model = (plan ?? _case.Plan).Build(_dtype, _device, seed: 0);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (name, parameter) in model.NamedParameters)
        {
            parameter.copy_(_file.Read(name));
        }

        return model;
    }

    private void Forward()
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var model = Load();
        foreach (var result in FamilyCases.Of(_case.Plan.Family).Results(model, _inputs))
        {
            Compare(result.Kind, result.Name, result.Value);
        }

        Free(model);
    }

    private void LossAndGradients()
    {
        using var scope = NewDisposeScope();
        var model = Load();
        var (loss, totals) = Loss(model, Ids("input.ids"), Ids("input.labels"), _case.StepAt(_case.LossStep, 1));
        loss.Total.backward();
        foreach (var (i, term) in loss.Terms.Index())
        {
            Compare("loss", $"expect.loss.{term.Name}", term.Sum / Math.Max(1.0, totals.Counts[i]));
        }

        Compare("loss", "expect.loss.total", loss.Total);
        foreach (var (name, parameter) in model.NamedParameters)
        {
            Compare("grad_norm", $"expect.grad_norm.{name}", parameter.grad is { } g ? g.pow(2).sum().sqrt() : zeros([], _dtype));
        }

        Free(model);
    }

    private void GreedyText()
    {
        if (_case.Greedy is not { } greedy || !_file.Contains("expect.greedy"))
        {
            return;
        }

        using var scope = NewDisposeScope();
        var model = Load();
        int count = greedy.GetProperty("new").GetInt32();
        var ids_BT = Ids("input.ids");
        var all = new List<int>();
        for (long b = 0; b < ids_BT.size(0); b++)
        {
            int[] prompt = [.. ids_BT.select(0, b).HostArray<long>().Take(PromptTokens).Select(id => (int)id)];
            all.AddRange(Sampler.Generate(model, prompt, count, new Sampling()));
        }

        // Fewer where the model's longest text ends: then not the shape that is expected.
        Compare("greedy", "expect.greedy", tensor(all.ToArray(), ids_BT.size(0), all.Count / ids_BT.size(0)));
        Free(model);
    }

    private (LossResult Loss, LossTotals Totals) Loss(LanguageModel model, Tensor ids_BT, Tensor labels_BT, TrainingStep step)
    {
        // A case's label at t is the token to predict from t; ours stands a column later.
        labels_BT = cat([full([labels_BT.size(0), 1], -100, int64, labels_BT.device), labels_BT], 1);
        int[] labels = Array.ConvertAll(labels_BT.HostArray<long>(), l => (int)l);
        var totals = model.Count(labels, (int)labels_BT.size(1));
        return (model.Loss(model.Prepare(new LossInput(ids_BT, labels_BT, totals) { Extras = FamilyCases.Of(_case.Plan.Family).Extras(_inputs) }, step)), totals);
    }

    private Tensor Ids(string name) => _file.Read(name).to(int64).to(_device);

    private void Compare(string kind, string name, Tensor value, int most = int.MaxValue)
    {
        var host = value.detach().cpu();
        _results.Add((name, host.contiguous().clone().DetachFromDisposeScope()));
        if (!_file.Contains(name))
        {
            return;
        }

        double[] expected = _file.Read(name).HostArray<double>();
        double[] got = host.HostArray<double>();
        double worst = expected.Length == got.Length ? 0 : double.PositiveInfinity;
        for (int i = 0; i < Math.Min(most, Math.Min(expected.Length, got.Length)); i++)
        {
            worst = Math.Max(worst, Relative(got[i], expected[i]));
        }

        // Max keeps a NaN, and a kind that holds one stays there.
        if (!_worst.TryGetValue(kind, out var before) || (!double.IsNaN(before.Difference) && !(worst <= before.Difference)))
        {
            _worst[kind] = (worst, name);
        }
    }

    private static double Relative(double got, double expected) => Math.Abs(got - expected) / (1 + Math.Abs(expected));

    private int Report(string? output, TextWriter log)
    {
        bool good = _worst.Count > 0;
        foreach (var (kind, (difference, where)) in _worst)
        {
            double allowed = kind is "greedy" or "drafts" ? 0 : _case.Allowed(_dtypeName, kind);
            bool within = difference <= allowed;
            good &= within;
            log.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{kind,-10} {difference:0.00e+00}  allowed {allowed:0.0e+00}  {(within ? "ok" : "OVER")}  worst at {where}"));
        }

        foreach (string name in _skipped)
        {
            log.WriteLine($"not run: {name}");
        }

        if (output is not null)
        {
            using var stream = File.Create(output);
            SafetensorsWriter.Write(stream, _results);
        }

        return good ? 0 : 1;
    }

    private static void Free(LanguageModel model)
    {
        foreach (var parameter in model.Parameters)
        {
            parameter.Dispose();
        }
    }
}
