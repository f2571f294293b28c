using Hearth.Models;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests.Contract;

/// <summary>The forecast beside what libtorch's allocator reserved on a card (H200, <c>bench memory</c>, docs/gpu.md).</summary>
public sealed class CardMemoryTests
{
    private const double Allowed = 0.15;

    /// <summary>Family, size, rows, tokens of a row, optimizer, GB reserved in a bf16 run.</summary>
    public static TheoryData<string, string, int, int, string, double> Measured()
    {
        var data = new TheoryData<string, string, int, int, string, double>();
        foreach (string line in Table.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] f = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            data.Add(f[0], f[1], int.Parse(f[2], null), int.Parse(f[3], null), f[4], double.Parse(f[5], null));
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Measured))]
    public void The_forecast_is_near_what_a_card_reserved(string family, string size, int rows, int length, string optimizer, double reserved)
    {
        var plan = Families.Plan(new ModelSpec { Family = family, Size = size }, new List<FieldError>())!;
        double forecast = MemoryForecast.Of(plan, rows, length, "bf16", new OptimizerSpec { Name = optimizer }).Tensors / 1e9;

        Assert.InRange(forecast / reserved, 1 - Allowed, 1 + Allowed);
    }

    private const string Table = """
        qovaryx 50m 16 2048 adamw 10.04
        qovaryx 50m 4 2048 adamw 3.53
        qovaryx 50m 16 2048 adamw8bit 10.20
        qovaryx 50m 4 2048 adamw8bit 3.68
        qovaryx 350m 8 2048 adamw 24.77
        qovaryx 350m 2 2048 adamw 12.02
        qovaryx 350m 8 2048 adamw8bit 22.94
        qovaryx 350m 2 2048 adamw8bit 10.17
        qovaryx 1b 4 2048 adamw 33.71
        qovaryx 1b 1 2048 adamw 25.72
        qovaryx 1b 4 2048 adamw8bit 27.67
        qovaryx 1b 1 2048 adamw8bit 19.74
        vuaf femto 64 512 adamw 12.77
        vuaf femto 16 512 adamw 3.49
        vuaf femto 64 512 adamw8bit 13.22
        vuaf femto 16 512 adamw8bit 3.92
        moa 150m 8 1024 adamw 17.00
        moa 150m 2 1024 adamw 6.52
        moa 150m 8 1024 adamw8bit 16.74
        moa 150m 2 1024 adamw8bit 6.20
        hybrid 16mb 32 1024 adamw 19.10
        hybrid 16mb 8 1024 adamw 5.31
        hybrid 16mb 32 1024 adamw8bit 19.23
        hybrid 16mb 8 1024 adamw8bit 5.45
        positronic 144m 4 1024 adamw 8.99
        positronic 144m 2 1024 adamw 6.65
        positronic 144m 4 1024 adamw8bit 8.74
        positronic 144m 2 1024 adamw8bit 6.39
        """;
}
