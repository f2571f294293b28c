using Hearth.Cli.Pool;
using Xunit;

namespace Hearth.Tests;

public sealed class PostgresPlaceTests
{
    [Fact]
    public void A_person_has_the_cluster_in_the_data_folder_as_themselves()
    {
        var place = PostgresPlace.Of("/home/ada/.local/share/hearth/postgres", isRoot: false, othersPass: _ => false);

        Assert.Equal(("/home/ada/.local/share/hearth/postgres", (string?)null), (place.Home, place.Account));
        Assert.Equal(place.Home, place.SocketFolder);
    }

    [Fact]
    public void Root_runs_it_as_another_account()
    {
        var place = PostgresPlace.Of("/srv/hearth/postgres", isRoot: true, othersPass: _ => true);

        Assert.Equal(("/srv/hearth/postgres", "postgres"), (place.Home, place.Account));
    }

    [Fact]
    public void Where_that_account_cannot_enter_the_cluster_lies_beside_the_systems_data()
    {
        var place = PostgresPlace.Of("/root/.local/share/hearth/postgres", isRoot: true, othersPass: folder => folder != "/root");
        var other = PostgresPlace.Of("/root/other/postgres", isRoot: true, othersPass: folder => folder != "/root");

        Assert.StartsWith("/var/lib/hearth/postgres-", place.Home, StringComparison.Ordinal);
        Assert.NotEqual(place.Home, other.Home);
    }

    [Fact]
    public void A_folder_too_deep_for_a_socket_has_it_elsewhere()
    {
        var place = PostgresPlace.Of("/home/ada/" + new string('d', 90), isRoot: false, othersPass: _ => true);

        Assert.StartsWith("/tmp/hearth-", place.SocketFolder, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("4711\n/data\n", null, true)]
    [InlineData("4711\n/data\n", "chrome", true)]
    [InlineData("4711\n/data\n", "postgres", false)]
    [InlineData("", "postgres", false)]
    public void A_process_file_is_stale_when_its_id_is_no_server(string text, string? name, bool stale) =>
        Assert.Equal(stale, PostmasterFile.IsStale(text, id => id == 4711 ? name : null));
}
