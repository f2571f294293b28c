using Hearth.Coordinator.Backups;
using Microsoft.Extensions.Configuration;
using Xunit;

namespace Hearth.Tests.Backups;

public sealed class RulesOfBackups
{
    [Fact]
    public void An_archive_of_a_later_version_is_refused_by_what_is_newer()
    {
        BackupHead Head(int format, params string[] migrations) => new(format, Guid.NewGuid(), DateTimeOffset.UnixEpoch, migrations);
        string[] known = ["001_init", "002_core"];

        Assert.Null(Head(1, "001_init").Refusal(known));
        Assert.Null(Head(1, "001_init", "002_core").Refusal(known));
        Assert.Equal(
            "The archive's database is newer than this version: it has 004_d, which is not known here. Restore it with the version that made it, or a later one.",
            Head(1, "001_init", "003_c", "004_d").Refusal(known));
        Assert.Equal("The archive has the format 2, and this version reads 1. Restore it with the version that made it.", Head(2).Refusal(known));
    }

    [Fact]
    public void The_newest_backups_stay_and_files_that_are_none_are_left_alone()
    {
        var settings = new BackupSettings("/srv", 2);
        string[] names = [.. Enumerable.Range(1, 4).Select(day => BackupSettings.NameAt(new DateTimeOffset(2026, 11, day, 2, 30, 0, TimeSpan.Zero)))];

        Assert.Equal([names[1], names[0]], settings.Surplus([names[2], "hearth-notes.backup", "letters.txt", names[0], names[3], names[1], $"{names[0]}.part"]));
        Assert.Empty(settings.Surplus(names[2..]));
    }

    [Fact]
    public void Settings_are_read_and_wrong_ones_refused_with_what_is_allowed()
    {
        BackupSettings? Read(params (string, string)[] given) =>
            BackupSettings.Read(new ConfigurationBuilder().AddInMemoryCollection(given.Select(g => KeyValuePair.Create(g.Item1, (string?)g.Item2))).Build());

        Assert.Null(Read());
        Assert.Equal(new BackupSettings("/srv/backups", 7), Read(("HEARTH_BACKUP_FOLDER", "/srv/backups")));
        var wrong = Assert.Throws<InvalidOperationException>(() => Read(("HEARTH_BACKUP_FOLDER", "/srv"), ("HEARTH_BACKUP_KEEP", "none")));
        Assert.Equal("HEARTH_BACKUP_KEEP is none. Allowed: 1 to 1000.", wrong.Message);
    }

    [Fact]
    public void What_the_database_is_reached_by_goes_to_its_programs_as_libpq_reads_it()
    {
        var environment = PostgresTools.Environment("Host=db;Port=5433;Username=hearth;Password=secret;Database=pool;SSL Mode=VerifyFull");

        Assert.Equal(
            [("PGDATABASE", "pool"), ("PGHOST", "db"), ("PGPASSWORD", "secret"), ("PGPORT", "5433"), ("PGSSLMODE", "verify-full"), ("PGUSER", "hearth")],
            environment.OrderBy(v => v.Key, StringComparer.Ordinal).Select(v => (v.Key, v.Value)));
    }
}
