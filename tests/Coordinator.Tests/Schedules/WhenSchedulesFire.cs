using System.Globalization;
using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Schedules;
using Xunit;

namespace Hearth.Tests.Schedules;

public sealed class WhenSchedulesFire
{
    [Theory]
    // Nothing is due before its time, and at its time it is.
    [InlineData("30 2 * * *", "UTC", "2026-03-01T00:00Z", "2026-03-01T02:29Z", null)]
    [InlineData("30 2 * * *", "UTC", "2026-03-01T00:00Z", "2026-03-01T02:30Z", "2026-03-01T02:30Z")]
    // What was dealt with is not due again.
    [InlineData("30 2 * * *", "UTC", "2026-03-01T02:30Z", "2026-03-01T02:31Z", null)]
    // Of what a pool missed, the latest alone.
    [InlineData("*/5 * * * *", "UTC", "2026-03-01T00:00Z", "2026-03-01T09:03Z", "2026-03-01T09:00Z")]
    [InlineData("0 3 * * 1", "UTC", "2025-01-01T00:00Z", "2026-03-05T00:00Z", "2026-03-02T03:00Z")]
    [InlineData("0 0 29 2 *", "UTC", "2020-01-01T00:00Z", "2026-03-05T00:00Z", "2024-02-29T00:00Z")]
    [InlineData("* * * * *", "UTC", "2016-01-01T00:00Z", "2026-03-05T00:00Z", "2026-03-05T00:00Z")]
    // The zone's own clock, on both sides of its summer time.
    [InlineData("0 8 * * *", "Europe/Vienna", "2026-01-10T00:00Z", "2026-01-10T12:00Z", "2026-01-10T07:00Z")]
    [InlineData("0 8 * * *", "Europe/Vienna", "2026-07-10T00:00Z", "2026-07-10T12:00Z", "2026-07-10T06:00Z")]
    // An hour that does not exist that day is made up for as it ends; one that comes twice counts once.
    [InlineData("30 2 * * *", "Europe/Vienna", "2026-03-29T00:00Z", "2026-03-29T12:00Z", "2026-03-29T01:00Z")]
    [InlineData("30 2 * * *", "Europe/Vienna", "2026-10-25T00:30Z", "2026-10-25T12:00Z", null)]
    public void A_fire_is_due_once_and_of_missed_ones_the_latest(string cron, string zone, string after, string now, string? due) =>
        Assert.Equal(due is null ? null : At(due), ScheduleClock.Parse(cron, zone).Due(At(after), At(now)));

    [Fact]
    public void Whenever_it_is_looked_at_the_due_fire_is_the_last_one_before()
    {
        var random = new Random(1);
        foreach (string cron in new[] { "*/7 * * * *", "15 */6 * * *", "0 4 1 * *", "30 23 * * 5" })
        {
            var clock = ScheduleClock.Parse(cron, "America/New_York");
            for (int i = 0; i < 50; i++)
            {
                var after = At("2026-01-01T00:00Z").AddMinutes(random.Next(500_000));
                var now = after.AddMinutes(random.Next(100_000));
                DateTimeOffset? last = null;
                for (var at = clock.Next(after); at <= now; at = clock.Next(at.Value))
                {
                    last = at;
                }

                Assert.Equal(last, clock.Due(after, now));
            }
        }
    }

    [Theory]
    [InlineData("cron", "61 * * * *", "UTC")]
    [InlineData("cron", "* * * *", "UTC")]
    [InlineData("cron", "0 0 30 2 *", "UTC")]
    [InlineData("cron", "", "UTC")]
    [InlineData("cron", "@every_second", "UTC")]
    [InlineData("cron", "0 3 * * *\0", "UTC")]
    [InlineData("cron", "0 3 * * *\0 and more", "UTC")]
    [InlineData("cron", "0 3 * * *\n", "UTC")]
    [InlineData("zone", "0 3 * * *", "Vienna")]
    public void A_wrong_field_is_named_with_what_is_allowed(string field, string cron, string zone)
    {
        var error = Assert.Single(ScheduleChecks.Own(new SaveSchedule("nightly", JsonElement.Parse("{}"), cron, zone)));

        Assert.Equal(field, error.Field);
        Assert.Contains("Allowed: ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_that_could_be_an_id_is_refused_and_a_good_schedule_is_not()
    {
        Assert.Empty(ScheduleChecks.Own(new SaveSchedule("nightly", JsonElement.Parse("{}"), "0 3 * * *", "Europe/Vienna")));
        Assert.Equal("name", Assert.Single(ScheduleChecks.Own(new SaveSchedule(Guid.NewGuid().ToString(), JsonElement.Parse("{}"), "0 3 * * *"))).Field);
    }

    [Theory]
    [InlineData(".")]
    [InlineData(" .. ")]
    [InlineData("nightly/small")]
    public void A_name_that_no_address_carries_is_refused(string name) =>
        Assert.Contains("without '/'", Assert.Single(ScheduleChecks.Own(new SaveSchedule(name, JsonElement.Parse("{}"), "0 3 * * *"))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("0 3 * * *\uFFFD", "UTC", "cron is 0 3 * * *\uFFFD")]
    [InlineData("0 3 * * *", "Mars/Olympus", "zone is Mars/Olympus")]
    public void A_clock_that_cannot_be_read_says_why(string cron, string zone, string why)
    {
        Assert.Null(ScheduleClock.TryParse(cron, zone, out string problem));
        Assert.StartsWith(why, problem, StringComparison.Ordinal);
    }

    private static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
