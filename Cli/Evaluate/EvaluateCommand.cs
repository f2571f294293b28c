using System.CommandLine;

namespace Hearth.Cli.Evaluate;

/// <summary><c>evaluate</c>: a checkpoint on a dataset, on a file of questions, or on a built-in task; the trainer does the work.</summary>
internal static class EvaluateCommand
{
    public static Command Create()
    {
        var task = new Option<string>("--task") { Description = $"A built-in task, in place of --data or --choices: {string.Join(", ", BuiltInTask.Names)}." };
        task.Validators.Add(given =>
        {
            string name = given.Tokens.Count > 0 ? given.Tokens[0].Value : "";
            if (!BuiltInTask.Names.Contains(name))
            {
                given.AddError($"--task is {(name.Length == 0 ? "empty" : name)}. Allowed: {string.Join(", ", BuiltInTask.Names)}.");
            }
        });
        var command = new Command("evaluate", "Loss, perplexity and bits per byte of a checkpoint on --data, or how often it is right on --choices or --task.") { task };
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction((parsed, stop) => Guard.RunAsync(() => RunAsync(parsed.GetValue(task), [.. parsed.UnmatchedTokens], stop)));
        return command;
    }

    private static async Task<int> RunAsync(string? task, string[] words, CancellationToken stop)
    {
        if (task is null)
        {
            return await TrainerProgram.RunAsync(["evaluate", .. words], stop);
        }

        var folder = Directory.CreateTempSubdirectory("hearth-task-");
        try
        {
            string path = Path.Combine(folder.FullName, task + ".jsonl");
            BuiltInTask.Write(BuiltInTask.Make(task), path);
            return await TrainerProgram.RunAsync(["evaluate", .. words, "--choices", path], stop);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
