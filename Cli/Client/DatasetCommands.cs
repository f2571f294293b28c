using System.CommandLine;
using Hearth.Api;

namespace Hearth.Cli.Client;

/// <summary><c>datasets</c>: list, show, add from this machine or an address, import where the coordinator runs.</summary>
internal static class DatasetCommands
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    public static Command Datasets()
    {
        var list = new Command("list", "Datasets of the pool.");
        ClientCommand.Bind(list, async (_, api, output, stop) => output.Show(
            await api.GetAsync<IReadOnlyList<DatasetView>>("datasets", stop),
            all => output.Table(["name", "kind", "documents", "files", "bytes", "license"], all.Select(Row))));
        return ClientCommand.Group("datasets", "Datasets of the pool.", list, Show(), Add(), Import());
    }

    private static Command Show()
    {
        var name = new Argument<string>("name") { Description = "Of the dataset." };
        var show = new Command("show", "What a dataset has, and what its import left out.") { name };
        ClientCommand.Bind(show, async (parsed, api, output, stop) =>
        {
            var all = await api.GetAsync<IReadOnlyList<DatasetView>>("datasets", stop);
            string wanted = parsed.GetRequiredValue(name);
            var found = all.FirstOrDefault(d => d.Name == wanted || d.Id.ToString() == wanted) ?? throw new CliException($"There is no dataset {wanted}.", ExitCodes.BadInput);
            return output.Show(await api.GetAsync<DatasetView>($"datasets/{found.Id}", stop), d => Tell(d, output));
        });
        return show;
    }

    private static Command Add()
    {
        var source = new Argument<string>("source") { Description = "A file of this machine, or an http or https address that the coordinator fetches." };
        var name = new Option<string>("--name") { Description = "Name that runs give under data.dataset.", Required = true };
        var license = new Option<string>("--license") { Description = "A note on the license.", Required = true };
        var resume = Given.OptionalId("--resume", "An upload that broke off, by its id.");
        var add = new Command("add", "Add a file of this machine, or what an address gives: text, JSONL, Parquet, gzip, Zstandard, tar, zip.") { source, name, license, resume };
        ClientCommand.Bind(add, async (parsed, api, output, stop) =>
        {
            string given = parsed.GetRequiredValue(source);
            var start = new StartImport(parsed.GetRequiredValue(name), parsed.GetRequiredValue(license));
            if (given.StartsWith("http://", StringComparison.Ordinal) || given.StartsWith("https://", StringComparison.Ordinal))
            {
                start = start with { Url = given };
            }
            else
            {
                var upload = await new DatasetUpload(api, given).SendAsync(
                    parsed.GetValue(resume),
                    u => Console.Error.WriteLine($"Upload {u.Id}; if it breaks off, go on with --resume {u.Id}."),
                    (done, all) => Console.Error.WriteLine($"Sent {Text.Bytes(done)} of {Text.Bytes(all)}."),
                    stop);
                start = start with { UploadId = upload.Id };
            }

            var import = await WaitAsync(api, await api.PostAsync<ImportView>("datasets/imports", start, stop), stop);
            return import.State == ImportState.Done
                ? output.Show(await api.GetAsync<DatasetView>($"datasets/{import.DatasetId}", stop), d => Tell(d, output))
                : throw new CliException(import.Error?.Message ?? $"The import was {(import.State == ImportState.Cancelled ? "cancelled" : "not finished")}.", ExitCodes.BadInput);
        });
        return add;
    }

    private static Command Import()
    {
        var name = new Argument<string>("name") { Description = "Name that runs give under data.dataset." };
        var paths = new Argument<string[]>("paths") { Description = "Files or folders on the coordinator's machine.", Arity = ArgumentArity.OneOrMore }.NotEmpty("paths of files or folders");
        var license = new Option<string>("--license") { Description = "A note on the license.", Required = true };
        var import = new Command("import", "Add files or folders that the coordinator's machine holds.") { name, paths, license };
        ClientCommand.Bind(import, async (parsed, api, output, stop) =>
        {
            var request = new ImportDataset(parsed.GetRequiredValue(name), [.. parsed.GetRequiredValue(paths).Select(Path.GetFullPath)], parsed.GetRequiredValue(license));
            return output.Show(
                await api.PostAsync<DatasetView>("datasets/import", request, stop),
                d => output.Line($"{d.Name}: {Text.Count(d.Files)} files, {Text.Bytes(d.Bytes)}"));
        });
        return import;
    }

    private static async Task<ImportView> WaitAsync(ApiClient api, ImportView import, CancellationToken stop)
    {
        while (import.State is ImportState.Queued or ImportState.Running)
        {
            await Task.Delay(Pause, stop);
            import = await api.GetAsync<ImportView>($"datasets/imports/{import.Id}", stop);
        }

        return import;
    }

    private static void Tell(DatasetView d, Output output)
    {
        output.Line($"{d.Name}: {Text.Count(d.Documents)} documents out of {Text.Count(d.Files)} files, {Text.Bytes(d.Bytes)}, {d.Kind}, {d.License}");
        if (d.Manifest is { } m)
        {
            output.Line($"letters: {string.Join(", ", m.Scripts.Select(s => $"{Text.Count(s.Letters)} {s.Name}"))}");
            output.Table(["letters from", "documents"], m.Lengths.Select(l => new[] { Text.Count(l.From), Text.Count(l.Documents) }));
            output.Line($"left out: {Text.Count(m.Duplicates)} duplicates, {Text.Count(m.BadRows.Values.Sum())} bad rows, {Text.Count(m.Skipped.Sum(s => s.Count))} entries");
            foreach (var row in m.BadRowSamples)
            {
                output.Line($"  {row.At}: {row.Kind} {row.Detail}");
            }

            foreach (var skipped in m.Skipped)
            {
                output.Line($"  {Text.Count(skipped.Count)} × {skipped.Reason}: {string.Join(", ", skipped.Names)}");
            }
        }
    }

    private static string[] Row(DatasetView d) => [d.Name, d.Kind, Text.Count(d.Documents), Text.Count(d.Files), Text.Bytes(d.Bytes), d.License];
}
