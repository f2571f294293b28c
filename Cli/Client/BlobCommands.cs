using System.CommandLine;
using Hearth.Api;

namespace Hearth.Cli.Client;

/// <summary><c>blobs</c>: the object store.</summary>
internal static class BlobCommands
{
    public static Command Create()
    {
        var dry = new Option<bool>("--dry-run") { Description = "Only say what would be done." };
        var sweep = new Command("sweep", "Set aside blobs that nothing uses, and delete those that nothing used for a day more. Done every quarter of an hour without being asked.") { dry };
        ClientCommand.Bind(sweep, async (parsed, api, output, stop) => output.Show(
            parsed.GetValue(dry) ? await api.GetAsync<BlobSweepView>("blobs/sweep", stop) : await api.PostAsync<BlobSweepView>("blobs/sweep", null, stop),
            swept =>
            {
                output.Line(swept.Store);
                output.Table(["blobs", "", ""], Rows(swept));
            }));
        return ClientCommand.Group("blobs", "The object store.", sweep);
    }

    /// <summary>What the sweep says, as lines of a table: how many, how large, and what that means.</summary>
    internal static IEnumerable<string[]> Rows(BlobSweepView swept)
    {
        string would = swept.DryRun ? "would be " : "";
        yield return Row(swept.Deleted, $"{would}deleted: nothing used them for a day after they were set aside");
        yield return Row(swept.Quarantined, $"{would}set aside: nothing has used them for an hour");
        if (swept.DryRun)
        {
            yield return Row(swept.Kept, "kept: in use, or not old enough");
            yield return Row(swept.NotOurs, "never deleted: were there before this pool wrote to the store");
            yield return Row(swept.Unknown, "never deleted: this database does not know them");
        }
    }

    private static string[] Row(BlobCount count, string meaning) => [Text.Count(count.Blobs), count.Bytes > 0 ? Text.Bytes(count.Bytes) : "", meaning];
}
