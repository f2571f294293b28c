using Hearth.Training.Parity;

namespace Hearth.Training.Commands;

/// <summary><c>parity CASE</c>: exit 1 when one difference is over its tolerance.</summary>
internal static class ParityCommand
{
    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, ["--dtype", "--device", "--out"], []);
        string dtype = arguments.Text("--dtype") ?? "fp64";
        if (arguments.Words.Count != 1)
        {
            throw new BadInputException("parity needs one case file.");
        }

        return dtype is "fp64" or "fp32"
            ? ParityRunner.Run(arguments.Words[0], dtype, arguments.Text("--device") ?? "cpu", arguments.Text("--out"), Console.Out)
            : throw new BadInputException($"--dtype is {dtype}. Allowed: fp64, fp32.");
    }
}
