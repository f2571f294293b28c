using Hearth.Coordinator.Generations;
using Hearth.Hardware;
using Xunit;

namespace Hearth.Tests.Generations;

public sealed class PlacingRequests
{
    private const long Gigabyte = 1L << 30;

    // A worker: name, what is said of it (away, cached, spare=N gigabytes of its host, hostlive=N, hostwarm) and its devices behind a bar:
    // kind:gigabytes with +training, +warm, +live=N, +used=N (gigabytes that other models take). What the request needs, in gigabytes; the place.
    [Theory]
    [InlineData("a | cpu:8; b | cuda:8", 1, "b/0")]
    [InlineData("a | cuda:24; b | cuda:8", 1, "b/0")]
    [InlineData("a | cuda:8; b cached | cuda:24", 1, "b/0")]
    [InlineData("a | cuda:8; b cached | cpu:8", 1, "a/0")]
    [InlineData("a | cuda:8; b | cpu:8+warm", 1, "b/0")]
    [InlineData("a | cuda:8+live=1; b | cuda:8", 1, "b/0")]
    [InlineData("a | cuda:8+live=1+used=7; b | cuda:24", 1, "b/0")]
    [InlineData("a | cuda:8+live=1+used=6; b | cuda:24+live=1", 1, "a/0")]
    [InlineData("a | cuda:8+live=4; b | cpu:8", 1, "b/0")]
    [InlineData("a | cuda:8+training; b | cpu:8", 1, "b/0")]
    [InlineData("a spare=2 | cuda:8+training", 1, "a/cpu")]
    [InlineData("a spare=2 | cpu:8+training; b cached spare=3 | cuda:8+training", 1, "b/cpu")]
    [InlineData("a spare=2 | cuda:8+training+warm; b spare=4 hostwarm | cuda:8", 1, "b/cpu")]
    [InlineData("a away spare=9 | cuda:8; b | cpu:8", 1, "b/0")]
    [InlineData("a | cuda:2,cuda:8", 4, "a/1")]
    public void A_request_goes_to(string pool, int gigabytes, string place)
    {
        var decided = GenerationPlacement.Decide(new GenerationNeed("Tiny", gigabytes * Gigabyte), Read(pool));

        Assert.Equal(place, Assert.IsType<GenerationPlace.On>(decided).Device);
    }

    [Theory]
    [InlineData("", "No worker has joined the pool yet.")]
    [InlineData("a away | cuda:8", "No worker can be asked now: each is away or being drained.")]
    [InlineData("a | cuda:8+training", "Tiny needs 4.0 GB to answer: no free device has that, and no worker tells how much its processor has to spare.")]
    [InlineData("a spare=1 | cuda:8+training; b spare=3 | cpu:2", "Tiny needs 4.0 GB to answer: no free device has that, and the most that a processor has to spare is 3.0, on b.")]
    [InlineData("a | cuda:8+live=4", "Every place that holds Tiny answers 4 requests already. Try again in a moment.")]
    [InlineData("a | cuda:4", "Tiny needs 4.0 GB to answer: no free device has that, and no worker tells how much its processor has to spare.")]
    public void A_request_that_nobody_can_take_is_told_why(string pool, string reason)
    {
        var decided = GenerationPlacement.Decide(new GenerationNeed("Tiny", 4 * Gigabyte), Read(pool));

        Assert.Equal(reason, Assert.IsType<GenerationPlace.Nowhere>(decided).Reason);
    }

    private static List<ServingWorker> Read(string pool) => [.. pool.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Worker)];

    private static ServingWorker Worker(string text)
    {
        string[] parts = text.Split('|', StringSplitOptions.TrimEntries), words = parts[0].Split(' ');
        long? spare = words.FirstOrDefault(w => w.StartsWith("spare=", StringComparison.Ordinal)) is { } word ? Number(word) * Gigabyte : null;
        var devices = parts[1].Split(',').Select((device, i) =>
        {
            string[] marks = device.Split('+'), size = marks[0].Split(':');
            return new ServingDevice(
                i, Enum.Parse<DeviceKind>(size[0], ignoreCase: true), long.Parse(size[1], null) * Gigabyte, marks.Contains("training"), Mark(marks, "live="), Mark(marks, "used=") * Gigabyte, marks.Contains("warm"));
        });
        return new ServingWorker(Guid.NewGuid(), words[0], !words.Contains("away"), words.Contains("cached"), spare, 0, words.Contains("hostwarm"), [.. devices]);
    }

    private static int Mark(string[] marks, string name) => marks.Where(m => m.StartsWith(name, StringComparison.Ordinal)).Select(Number).FirstOrDefault();

    private static int Number(string mark) => int.Parse(mark.Split('=')[1], null);
}
