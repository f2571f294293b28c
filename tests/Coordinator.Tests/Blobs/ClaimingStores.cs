using Hearth.Coordinator.Blobs;
using Xunit;

namespace Hearth.Tests.Blobs;

public sealed class ClaimingStores
{
    private static readonly Guid Ours = Guid.Parse("11111111-1111-1111-1111-111111111111");
    private static readonly Guid Theirs = Guid.Parse("22222222-2222-2222-2222-222222222222");

    // Marked before, whose mark is found, blobs in the store, blobs that the ledger knows, blobs that the database needs, what may be adopted; what follows.
    [Theory]
    [InlineData(false, "", false, false, false, "", "Mark")] // a new pool and an empty store
    [InlineData(false, "", true, true, true, "", "Mark")] // a pool from before stores were marked
    [InlineData(true, "ours", true, true, true, "", "Ours")]
    [InlineData(false, "ours", true, true, true, "", "Ours")]
    [InlineData(true, "", false, false, true, "", "Away")] // not mounted
    [InlineData(true, "", true, true, true, "", "Away")] // mounted somewhere else, or the mark was deleted
    [InlineData(false, "", false, false, true, "", "Away")] // not mounted while the pool was brought up to this version
    [InlineData(false, "", true, false, false, "", "Refused")] // another database over an old folder
    [InlineData(false, "theirs", true, false, false, "", "Refused")]
    [InlineData(true, "theirs", true, false, true, "", "Refused")]
    [InlineData(true, "theirs", false, false, true, "unmarked", "Refused")]
    [InlineData(true, "theirs", true, false, true, "theirs", "Mark")]
    [InlineData(true, "", false, false, true, "theirs", "Away")]
    [InlineData(true, "", false, false, true, "unmarked", "Mark")]
    [InlineData(false, "", true, false, false, "unmarked", "Mark")]
    public void A_store_is_marked_only_where_it_cannot_be_anybody_elses(bool marked, string found, bool blobs, bool known, bool needed, string adopt, string expected)
    {
        var mark = found.Length == 0 ? null : new StoreIdentity(found == "ours" ? Ours : Theirs, DateTimeOffset.UnixEpoch);
        string? adopted = adopt switch { "" => null, "theirs" => Theirs.ToString(), _ => adopt };

        var claim = StoreClaim.Decide(new StoreFacts(Ours, marked, mark, blobs, known, needed, adopted), "the folder /store");

        Assert.Equal(expected, claim.GetType().Name);
    }

    [Fact]
    public void A_refusal_names_both_pools_and_the_way_out()
    {
        var claim = StoreClaim.Decide(new StoreFacts(Ours, true, new StoreIdentity(Theirs, DateTimeOffset.UnixEpoch), true, false, true, null), "the folder /store");

        string reason = Assert.IsType<StoreClaim.Refused>(claim).Reason;
        Assert.Contains($"belongs to the pool {Theirs}, and this database to the pool {Ours}", reason, StringComparison.Ordinal);
        Assert.Contains($"HEARTH_ADOPT_STORE={Theirs}", reason, StringComparison.Ordinal);
    }
}
