using Hearth.Kernels;
using Hearth.Training.Exactness;
using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Training.Commands;

/// <summary><c>selftest exact</c>: every family at its main sizes and real row lengths gives the same bits twice, resumed, recorded and launched.</summary>
internal static class SelfTestExact
{
    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, ["--device", "--family", "--size", "--precision", "--scratch"], []);
        string name = arguments.Text("--device") ?? "cuda:0";
        int cards = cuda.is_available() ? cuda.device_count() : 0;
        if (!Enumerable.Range(0, cards).Any(i => name == $"cuda:{i}"))
        {
            throw new BadInputException($"--device is {name}. Allowed here: {(cards == 0 ? "none, for these sizes need a CUDA device" : string.Join(", ", Enumerable.Range(0, cards).Select(i => $"cuda:{i}")))}.");
        }

        IReadOnlyList<ExactnessCase> cases = ExactnessCase.MainSizes;
        cases = Chosen(cases, arguments, "--family", c => c.Model.Family);
        cases = Chosen(cases, arguments, "--size", c => c.Model.Size);
        cases = Chosen(cases, arguments, "--precision", c => c.Precision);
        var device = torch.device(name);
        string folder = Path.Combine(arguments.Text("--scratch") ?? Path.GetTempPath(), $"hearth-exact-{Environment.ProcessId}");
        Directory.CreateDirectory(folder);
        try
        {
            Console.WriteLine($"{DeviceFacts.Model(device)}, {Libtorch.Load()}");
            var suite = new ExactnessSuite(Console.Out, device, folder, StepRecorder.HowOn(device)!);
            suite.Run(cases);
            return suite.Failed == 0 ? ExitCodes.Done : ExitCodes.Crashed;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // Those whose word is among the option's, which may be given more than once; all where it is not given.
    private static IReadOnlyList<ExactnessCase> Chosen(IReadOnlyList<ExactnessCase> cases, Arguments arguments, string option, Func<ExactnessCase, string> word)
    {
        var asked = arguments.Texts(option);
        string[] known = [.. cases.Select(word).Distinct()];
        return asked.FirstOrDefault(a => !known.Contains(a)) is { } unknown
            ? throw new BadInputException($"{option} is {unknown}. Allowed: {string.Join(", ", known)}.")
            : asked.Count == 0 ? cases : [.. cases.Where(c => asked.Contains(word(c)))];
    }
}
