using System.Globalization;
using Hearth.Models;
using Hearth.Models.Blocks;
using Hearth.Runs;
using Hearth.Torch;
using Hearth.Training.Optim;
using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Training.Parity;

/// <summary>
/// Runs a parity case: given weights and inputs, compares logits, losses, gradient norms, optimizer steps and greedy
/// continuations with what an independent implementation computed.
/// </summary>
public sealed class ParityRunner : IDisposable
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

    private ParityRunner(SafetensorsReader file, string dtype, Device device)
    {
        (_file, _case, _dtypeName, _device) = (file, ParityCase.Read(file), dtype, device);
        _dtype = dtype switch
        {
            "fp64" => float64,
            "fp32" => float32,
            _ => throw new BadInputException($"dtype is {dtype}. Allowed: fp64, fp32."),
        };
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

    private LanguageModel Load()
    {
        var model = _case.Plan.Build(_dtype, _device, seed: 0);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (name, parameter) in model.named_parameters())
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
        var ids_BT = Ids("input.ids");
        Compare("logits", "expect.logits", model.Logits(ids_BT));
        if (model is Decoder decoder)
        {
            foreach (var (logits, k) in decoder.MtpLogits(ids_BT).Select((l, i) => (l, i + 1)))
            {
                Compare("logits", $"expect.mtp_logits.{k}", logits);
            }
        }

        Free(model);
    }

    private void LossAndGradients()
    {
        using var scope = NewDisposeScope();
        var model = Load();
        var (loss, totals) = Loss(model, Ids("input.ids"), Unshift(Ids("input.labels")));
        loss.Total.backward();
        for (int i = 0; i < model.Terms.Count; i++)
        {
            Compare("loss", $"expect.loss.{model.Terms[i].Name}", loss.Sums[i] / Math.Max(1.0, totals.Counts[i]));
        }

        Compare("loss", "expect.loss.total", loss.Total);
        foreach (var (name, parameter) in model.named_parameters())
        {
            Compare("grad_norm", $"expect.grad_norm.{name}", parameter.grad is { } g ? g.pow(2).sum().sqrt() : zeros([], _dtype));
        }

        Free(model);
    }

    private void Recipes()
    {
        foreach (var (name, recipe) in _case.Train)
        {
            if (recipe.GetProperty("kind").GetString() is not "adamw" and var kind)
            {
                _skipped.Add($"train.{name} ({kind})");
                continue;
            }

            var betas = recipe.GetProperty("betas");
            var spec = new OptimizerSpec
            {
                Lr = recipe.GetProperty("lr").GetDouble(),
                Beta1 = betas[0].GetDouble(),
                Beta2 = betas[1].GetDouble(),
                Eps = recipe.GetProperty("eps").GetDouble(),
                WeightDecay = recipe.GetProperty("weight_decay").GetDouble(),
                GradClip = recipe.GetProperty("clip").GetDouble(),
            };
            Train(name, spec);
        }
    }

    private void Train(string name, OptimizerSpec spec)
    {
        using var scope = NewDisposeScope();
        var model = Load();
        using var optimizer = new AdamW(model, spec);
        var ids = Ids("input.train.ids");
        var labels = Unshift(Ids("input.train.labels"));
        long steps = ids.size(0);
        var losses = new double[steps + 1];
        var norms = new double[steps];
        for (long i = 0; i <= steps; i++)
        {
            using var inner = NewDisposeScope();
            optimizer.zero_grad();
            var (loss, _) = Loss(model, ids.select(0, i % steps), labels.select(0, i % steps));
            losses[i] = loss.Total.item<double>();
            if (i < steps)
            {
                loss.Total.backward();
                norms[i] = optimizer.ClipGradNorm(spec.GradClip);
                optimizer.Step(spec.Lr);
            }
        }

        Compare("train", $"expect.train.{name}.loss", tensor(losses));
        Compare("train", $"expect.train.{name}.grad_norm", tensor(norms));
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
            int[] prompt = [.. ids_BT.select(0, b).ToArray<long>().Take(PromptTokens).Select(id => (int)id)];
            all.AddRange(Sampler.Generate(model, prompt, count, new Sampling()));
        }

        Compare("greedy", "expect.greedy", tensor(all.ToArray(), ids_BT.size(0), count));
        if (_file.Contains("expect.drafts") && model is Decoder decoder)
        {
            Drafts(decoder, ids_BT, tensor(all.ToArray(), ids_BT.size(0), count).to(int64).to(_device));
        }

        Free(model);
    }

    // drafts[b,i]: what the further heads propose when greedy[b, :i+1] is known.
    private void Drafts(Decoder model, Tensor ids_BT, Tensor greedy_BT)
    {
        long[] shape = _file.Entries.First(e => e.Name == "expect.drafts").Shape;
        var all = new List<int>();
        for (long b = 0; b < shape[0]; b++)
        {
            for (long i = 0; i < shape[1]; i++)
            {
                using var scope = NewDisposeScope();
                all.AddRange(model.Draft(cat([ids_BT.narrow(0, b, 1).narrow(1, 0, PromptTokens), greedy_BT.narrow(0, b, 1).narrow(1, 0, i + 1)], 1)));
            }
        }

        Compare("drafts", "expect.drafts", tensor(all.ToArray(), shape));
    }

    private static (LossResult Loss, LossTotals Totals) Loss(LanguageModel model, Tensor ids_BT, Tensor labels_BT)
    {
        int[] labels = Array.ConvertAll(labels_BT.ToArray<long>(), l => (int)l);
        var totals = model.Count(labels, (int)labels_BT.size(1));
        return (model.Loss(ids_BT, labels_BT, totals), totals);
    }

    // A case's label at t is the token to predict from t; ours stands where that token stands. Its last column is never counted.
    private static Tensor Unshift(Tensor labels)
    {
        long time = labels.size(-1);
        long[] column = labels.shape;
        column[^1] = 1;
        return cat([full(column, -100, int64, labels.device), labels.narrow(-1, 0, time - 1)], -1);
    }

    private Tensor Ids(string name) => _file.Read(name).to(int64).to(_device);

    private void Compare(string kind, string name, Tensor value)
    {
        var host = value.detach().cpu();
        _results.Add((name, host.contiguous().clone().DetachFromDisposeScope()));
        if (!_file.Contains(name))
        {
            return;
        }

        double[] expected = _file.Read(name).ToArray<double>();
        double[] got = host.ToArray<double>();
        double worst = expected.Length == got.Length ? 0 : double.PositiveInfinity;
        for (int i = 0; i < Math.Min(expected.Length, got.Length); i++)
        {
            double difference = Math.Abs(got[i] - expected[i]) / (1 + Math.Abs(expected[i]));
            worst = difference <= worst ? worst : difference;
        }

        if (!_worst.TryGetValue(kind, out var before) || !(worst <= before.Difference))
        {
            _worst[kind] = (worst, name);
        }
    }

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
        foreach (var parameter in model.parameters())
        {
            parameter.Dispose();
        }
    }
}
