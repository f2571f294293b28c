using System.CommandLine;

namespace Hearth.Cli;

/// <summary><c>train run.yaml</c>: one run without any coordinator.</summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        var file = Given.File("run.yaml", "The run: YAML or JSON.");
        var command = new Command("train", "Train one run here, without a coordinator. Further options go to the trainer: --data, --out, --device, --threads, --resume.")
        {
            file,
        };
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction((parsed, stop) => RunAsync(parsed.GetRequiredValue(file), parsed.UnmatchedTokens, stop));
        return command;
    }

    private static async Task<int> RunAsync(FileInfo file, IReadOnlyList<string> rest, CancellationToken stop)
    {
        if (!file.Exists)
        {
            Console.Error.WriteLine($"There is no file {file}.");
            return 2;
        }

        string spec = Path.Combine(Path.GetTempPath(), $"hearth-{Guid.NewGuid():N}.json");
        try
        {
            await File.WriteAllTextAsync(spec, YamlFile.Read(file.FullName)?.ToJsonString() ?? "null", stop);
            return await TrainerProgram.RunAsync(["train", "--spec", spec, .. rest], stop);
        }
        catch (InvalidDataException e)
        {
            Console.Error.WriteLine(e.Message);
            return 2;
        }
        finally
        {
            File.Delete(spec);
        }
    }
}
