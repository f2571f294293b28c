using System.Net;
using Hearth.Coordinator.Workers;
using Hearth.Hardware;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Workers;

[Collection(SharedPostgres.Name)]
public sealed class CheckingReports(PostgresServer postgres)
{
    private static readonly DeviceInfo Card = new(0, DeviceKind.Cuda, "A card", "gpu-0", 8L << 30, "8.6");
    private static readonly Lease Lease = new(Guid.CreateVersion7(), 1);
    private static readonly AttemptReport Trains = new(Lease, AttemptState.Running, null, null, 5);
    private static readonly AttemptEnd Ended = new(Lease, AttemptState.Lost, 5, null, null, null);
    private static readonly SyncRequest Good = new()
    {
        AgentVersion = "1.2.3",
        Devices = [Card, Card with { Index = 1, Capability = "" }],
        Readings = [new DeviceReading(0), new DeviceReading(1, MemoryUsedBytes: 5)],
        Attempts = [Trains],
        Ended = [Ended, Ended with { Lease = Lease with { Epoch = 2 } }],
    };

    public static TheoryData<string, SyncRequest> Wrong => new()
    {
        { "agent_version", Good with { AgentVersion = null! } },
        { "agent_version", Good with { AgentVersion = "a\0b" } },
        { "agent_version", Good with { AgentVersion = new string('9', 65) } },
        { "devices", Good with { Devices = null! } },
        { "devices", Good with { Devices = [.. Enumerable.Range(0, 65).Select(i => Card with { Index = i })] } },
        { "devices[1]", Good with { Devices = [Card, null!] } },
        { "devices[1].index", Good with { Devices = [Card, Card] } },
        { "devices[0].index", Good with { Devices = [Card with { Index = -1 }] } },
        { "devices[0].memory_bytes", Good with { Devices = [Card with { MemoryBytes = -1 }] } },
        { "devices[0].memory_bytes", Good with { Devices = [Card with { MemoryBytes = long.MaxValue }] } },
        { "devices[0].model", Good with { Devices = [Card with { Model = new string('x', 201) }] } },
        { "devices[0].model", Good with { Devices = [Card with { Model = "\ud800" }] } },
        { "devices[0].uuid", Good with { Devices = [Card with { Uuid = null! }] } },
        { "readings", Good with { Readings = null! } },
        { "readings[0]", Good with { Readings = [null!] } },
        { "readings[1]", Good with { Readings = [new DeviceReading(0), new DeviceReading(0)] } },
        { "readings[0].memory_used_bytes", Good with { Readings = [new DeviceReading(0, MemoryUsedBytes: -5)] } },
        { "attempts", Good with { Attempts = null! } },
        { "attempts[0].lease", Good with { Attempts = [Trains with { Lease = null! }] } },
        { "attempts[0].step", Good with { Attempts = [Trains with { Step = -1 }] } },
        { "attempts[0].state", Good with { Attempts = [Trains with { State = AttemptState.Lost }] } },
        { "attempts[0].fraction", Good with { Attempts = [Trains with { Fraction = double.NaN }] } },
        { "attempts[1]", Good with { Attempts = [Trains, Trains] } },
        { "ended", Good with { Ended = [.. Enumerable.Repeat(Ended, 257)] } },
        { "ended[0].outcome", Good with { Ended = [Ended with { Outcome = AttemptState.Running }] } },
        { "ended[0].trace", Good with { Ended = [Ended with { Trace = new string('f', 65) }] } },
        { "ended[0].peak_memory_bytes", Good with { Ended = [Ended with { PeakMemoryBytes = -1 }] } },
        { "ended[1]", Good with { Ended = [Ended, Ended] } },
        { "generations", Good with { Generations = null! } },
        { "host_free_bytes", Good with { HostFreeBytes = -1 } },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void What_is_wrong_is_named(string field, SyncRequest request)
    {
        var error = Assert.Single(ReportRules.Check(request));

        Assert.Equal(field, error.Field);
        Assert.InRange(error.Message.Length, 1, 300);
    }

    [Fact]
    public void A_report_as_agents_send_it_passes()
    {
        Assert.Empty(ReportRules.Check(Good));
        Assert.Empty(ReportRules.Check(new JoinRequest("ABCD-EFGH", "studio", "1", [Card])));
    }

    [Fact]
    public async Task A_wrong_report_is_refused_by_its_field_and_nothing_of_it_is_taken()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());
        await using var worker = await FakeWorker.JoinAsync(service, "studio", heartbeats: false);

        using var answer = await worker.PostAsync("/api/worker/sync", Good with { AgentVersion = "new", Devices = [Card, Card] });

        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.StatusCode);
        Assert.Equal("devices[1].index", Assert.Single(await answer.ErrorsAsync()).Field);
        var shown = Assert.Single(await service.WorkersAsync());
        Assert.Equal(("test", 1, null), (shown.AgentVersion, shown.Devices.Count, shown.Problem));
    }
}
