using System.Globalization;
using Hearth.Models;
using Hearth.Kernels;
using static TorchSharp.torch;

// T positions, V vocabulary.
namespace Hearth.Training.Commands;

/// <summary>
/// <c>logits CHECKPOINT --ids 1,2,3</c>: what a model gives for a text of ids, its likeliest entries at each position on the screen and
/// everything in a safetensors file. A looped model gives each step's, and its halt logits.
/// </summary>
internal static class LogitsCommand
{
    private const string Ids = "--ids", Type = "--dtype", Output = "--out", Top = "--top";

    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, [Ids, Output, Type, Top, DeviceOptions.Device, DeviceOptions.Threads], []);
        if (arguments.Words is not [var folder])
        {
            throw new BadInputException($"logits has {arguments.Words.Count} folders. Allowed: logits CHECKPOINT {Ids} 1,2,3.");
        }

        string given = arguments.Required(Ids);
        int top = arguments.Integer(Top, 5, 1, 1000);
        var device = DeviceOptions.Apply(arguments);
        var dtype = DtypeOf(arguments.Text(Type) ?? "fp32", device);
        using var scope = NewDisposeScope();
        var model = TrainedModel.Load(folder, device, dtype).Model;
        Notices.Print(model);
        long[] ids = Parse(given, model.Plan);
        using var quiet = no_grad();
        var outputs = model.Outputs(tensor(ids, 1, ids.Length).to(device)).Select(o => (o.Name, Value: o.Value.to(dtype).cpu().contiguous())).ToList();
        foreach (var (name, value) in outputs)
        {
            Print(name, value, ids, top);
        }

        if (arguments.Text(Output) is { } path)
        {
            using var file = File.Create(path);
            SafetensorsWriter.Write(file, outputs, new Dictionary<string, string> { ["ids"] = string.Join(',', ids), ["model"] = model.Plan.Title });
            Console.WriteLine($"{path}: {string.Join(", ", outputs.Select(o => o.Name))}");
        }

        return ExitCodes.Done;
    }

    private static ScalarType DtypeOf(string dtype, Device device) => dtype switch
    {
        "fp32" => float32,
        "fp64" when device.index < 0 => float64,
        "fp64" => throw new BadInputException($"{Type} is fp64 with {DeviceOptions.Device} {device}. Allowed: fp32, or fp64 on the CPU."),
        _ => throw new BadInputException($"{Type} is {dtype}. Allowed: fp32, fp64."),
    };

    private static long[] Parse(string text, ModelPlan plan)
    {
        string[] words = text.Split(',', StringSplitOptions.TrimEntries);
        if (words.Length > plan.MaxSeqLen)
        {
            throw new BadInputException($"{Ids} has {words.Length} ids. Allowed: 1 to {plan.MaxSeqLen}, {plan.Title}'s longest text.");
        }

        return [.. words.Select(word => long.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out long id) && id < plan.VocabSize
            ? id
            : throw new BadInputException($"{Ids} has {(word.Length == 0 ? "an empty entry" : word)}. Allowed: 0 to {plan.VocabSize - 1}, {plan.Title}'s vocabulary."))];
    }

    // Rows of logits [1,T,V] show their likeliest entries, one value a position [1,T] is shown as it is.
    private static void Print(string name, Tensor value, long[] ids, int top)
    {
        Console.WriteLine($"{name} [{string.Join(", ", value.shape)}]");
        double[] all = value.HostArray<double>();
        int width = all.Length / ids.Length;
        for (int t = 0; t < ids.Length; t++)
        {
            double[] row = all[(t * width)..((t + 1) * width)];
            string shown = width == 1 ? Number(row[0]) : string.Join("  ", Sampler.Likeliest(row, top).Select(c => $"{c.Token}: {Number(row[c.Token])}"));
            Console.WriteLine($"  {t} (id {ids[t]})  {shown}");
        }
    }

    private static string Number(double value) => value.ToString("0.0000", CultureInfo.InvariantCulture);
}
