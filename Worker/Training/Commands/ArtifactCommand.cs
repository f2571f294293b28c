using System.Globalization;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Hybrid;
using Hearth.Models.Hybrid.Artifact;
using Hearth.Tokenizers;
using Hearth.Training.Checkpoints;
using Hearth.Training.Evaluation;
using TorchSharp;

namespace Hearth.Training.Commands;

/// <summary>
/// <c>artifact pack</c>: a Hybrid checkpoint to a 16 MB file, with bits per byte of a text before and after;
/// <c>artifact unpack</c>: the file to safetensors; <c>artifact bpb</c>: bits per byte of any checkpoint.
/// </summary>
internal static class ArtifactCommand
{
    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, ["--checkpoint", "--out", "--kappa", "--code-bytes", "--text", "--stride", "--threads", ExportCommand.Weights], []);
        int threads = arguments.Integer("--threads", 0, 0, 1024);
        if (threads > 0)
        {
            torch.set_num_threads(threads);
        }

        using var scope = torch.NewDisposeScope();
        return arguments.Words switch
        {
            ["pack"] => Pack(arguments),
            ["unpack", var file] => Unpack(file, arguments.Required("--out")),
            ["bpb"] => Evaluate(arguments),
            _ => throw new BadInputException($"artifact {string.Join(' ', arguments.Words)} is unknown. Allowed: pack, unpack FILE, bpb."),
        };
    }

    private static int Pack(Arguments arguments)
    {
        string folder = arguments.Required("--checkpoint"), output = arguments.Required("--out");
        double kappa = arguments.Number("--kappa", 0, 0, ArtifactEncoder.LargestKappa);
        int code = arguments.Integer("--code-bytes", ArtifactEncoder.DefaultCodeBytes, 0, ArtifactEncoder.ByteLimit);
        var (model, tokenizer) = TrainedModel.FromCheckpoint(folder, torch.CPU, raw: ExportCommand.WantsRaw(arguments));
        if (model.Plan is not HybridPlan plan)
        {
            throw new BadInputException($"{folder} is of the family {model.Plan.Family}. Allowed: hybrid.");
        }

        var encoder = new ArtifactEncoder(plan, model.Weight);
        var packed = kappa > 0 ? encoder.Pack(Math.Max(1, kappa), code) : encoder.Fit(code);
        File.WriteAllBytes(output, packed.File);
        Print($"{output}: {packed.File.Length} bytes, {packed.Total} with code; kappa {packed.Kappa}, {8.0 * packed.File.Length / plan.Parameters:0.000} bits a parameter");
        if (arguments.Text("--text") is { } text)
        {
            Print($"before: {Score(model, tokenizer, folder, text, arguments)}");
            Put(Hyb6File.Read(new MemoryStream(packed.File)), model);
            Print($"after:  {Score(model, tokenizer, folder, text, arguments)}");
        }

        return ExitCodes.Done;
    }

    private static int Unpack(string file, string output)
    {
        using var stream = File.OpenRead(file);
        var artifact = Hyb6File.Read(stream);
        var tensors = artifact.Layout.Entries.Select(e => (e.Name, torch.tensor(artifact.Decode(e), [.. e.Shape]))).ToList();
        using var target = File.Create(output);
        SafetensorsWriter.Write(target, tensors, new Dictionary<string, string> { ["config"] = artifact.Plan.Config.ToJsonString() });
        Print($"{output}: {tensors.Count} tensors, kappa {artifact.Kappa}");
        return ExitCodes.Done;
    }

    private static int Evaluate(Arguments arguments)
    {
        string folder = arguments.Required("--checkpoint");
        var (model, tokenizer) = TrainedModel.FromCheckpoint(folder, torch.CPU, raw: ExportCommand.WantsRaw(arguments));
        Print($"{Score(model, tokenizer, folder, arguments.Required("--text"), arguments)}");
        return ExitCodes.Done;
    }

    private static void Put(Hyb6 artifact, LanguageModel model)
    {
        using var quiet = torch.no_grad();
        foreach (var entry in artifact.Layout.Entries)
        {
            using var scope = torch.NewDisposeScope();
            model.Weight(entry.Name).copy_(torch.tensor(artifact.Decode(entry), [.. entry.Shape]));
        }
    }

    // The checkpoint's rows are as long as its run's; a stride scores with more context and is reported beside.
    private static string Score(LanguageModel model, ITokenizer tokenizer, string folder, string textFile, Arguments arguments)
    {
        var config = CheckpointFolder.ReadJson<CheckpointConfig>(folder, CheckpointFolder.ConfigName);
        int[] stream = tokenizer.Encode(File.ReadAllText(textFile));
        int length = config.Run.Data.SeqLen, stride = Math.Min(length, arguments.Integer("--stride", 64, 1, 1 << 20));
        if (stream.Length <= length)
        {
            throw new BadInputException($"{textFile} has {stream.Length} tokens. Allowed: more than {length} (data.seq_len).");
        }

        using var control = new TrainerControl();
        using var signals = new StopSignals(control);
        int Bytes(int index) => tokenizer.ByteCount(stream[index], stream[index - 1]);
        var disjoint = BitsPerByte.Of(model, stream, EvalWindows.Disjoint(stream.Length - 1, length), Bytes, control);
        var sliding = BitsPerByte.Of(model, stream, EvalWindows.Sliding(stream.Length - 1, length, stride), Bytes, control);
        return string.Create(CultureInfo.InvariantCulture, $"{disjoint.Value:0.0000} bits a byte over {disjoint.Tokens} tokens, {sliding.Value:0.0000} sliding by {stride}");
    }

    private static void Print(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
