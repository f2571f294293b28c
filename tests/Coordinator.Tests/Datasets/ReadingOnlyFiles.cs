using System.Diagnostics;
using Hearth.Api;
using Hearth.Coordinator.Datasets;
using Hearth.Coordinator.Datasets.Reading;
using Hearth.Coordinator.Datasets.Sources;
using Xunit;

namespace Hearth.Tests.Datasets;

public sealed class ReadingOnlyFiles : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hearth-files-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [SkippableFact]
    public async Task A_pipe_among_the_files_of_an_import_is_refused_by_its_name_and_not_waited_for()
    {
        Skip.If(OperatingSystem.IsWindows(), "Windows has no pipes among files");
        await File.WriteAllTextAsync(Path.Combine(_folder, "a.txt"), "text");
        using (var made = Process.Start("mkfifo", [Path.Combine(_folder, "b.txt")]))
        {
            await made.WaitForExitAsync();
        }

        var files = new SourceFiles([]).Find(new ImportDataset("docs", [_folder], "ours"));
        var refused = await Assert.ThrowsAsync<DatasetRefusedException>(() => CanonicalBlob.WriteAsync(files, Imports.Rules(_folder), Stream.Null, null, CancellationToken.None)).WaitAsync(TimeSpan.FromSeconds(60));

        Assert.Contains("1 document (bad rows: 1 empty; the first is b.txt, empty)", refused.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task A_device_without_end_is_refused()
    {
        Skip.IfNot(File.Exists("/dev/zero"), "this system has no /dev/zero");

        var files = new SourceFiles([]).Find(new ImportDataset("docs", ["/dev/zero"], "ours"));

        await Assert.ThrowsAsync<DatasetRefusedException>(() => CanonicalBlob.WriteAsync(files, Imports.Rules(_folder), Stream.Null, null, CancellationToken.None));
    }
}
