using Hearth.Models;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests.Contract;

/// <summary>
/// The forecast beside what libtorch's allocator reserved on a card (H200, <c>bench memory</c>, docs/gpu.md), less the 65 MB that each recording before it in
/// that process had left behind.
/// </summary>
public sealed class CardMemoryTests
{
    private const double Allowed = 0.15;

    /// <summary>Family, size, rows, tokens of a row, precision, optimizer, masters, recomputation, GB reserved.</summary>
    public static TheoryData<ModelSpec, int, int, string, string, string, string, double> Measured()
    {
        var data = new TheoryData<ModelSpec, int, int, string, string, string, string, double>();
        foreach (string line in Table.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] f = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            data.Add(new ModelSpec { Family = f[0], Size = f[1] }, int.Parse(f[2], null), int.Parse(f[3], null), f[4], f[5], f[6], f[7], double.Parse(f[8], null));
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Measured))]
    public void The_forecast_is_near_what_a_card_reserved(ModelSpec model, int rows, int length, string precision, string optimizer, string master, string recompute, double reserved)
    {
        var how = new OptimizerSpec { Name = optimizer };
        var plan = Families.Plan(model, new List<FieldError>())!.Under(new TrainSpec { Master = master }, how);
        double forecast = MemoryForecast.Of(plan, rows, length, precision, how, recompute: recompute).Reserved / 1e9;

        Assert.InRange(forecast / reserved, 1 - Allowed, 1 + Allowed);
    }

    private const string Table = """
        qovaryx 50m 16 2048 bf16 adamw fp32 none 10.04
        qovaryx 50m 4 2048 bf16 adamw fp32 none 3.46
        qovaryx 50m 16 2048 bf16 adamw fp32 block 4.31
        qovaryx 50m 4 2048 bf16 adamw fp32 block 1.89
        qovaryx 50m 16 2048 bf16 adamw8bit fp32 none 9.96
        qovaryx 50m 4 2048 bf16 adamw8bit fp32 none 3.35
        qovaryx 50m 16 2048 bf16 adamw8bit none none 9.85
        qovaryx 50m 4 2048 bf16 adamw8bit none none 3.27
        qovaryx 50m 16 2048 bf16 adamw8bit none block 4.30
        qovaryx 50m 4 2048 bf16 adamw8bit none block 1.79
        qovaryx 50m 16 2048 fp32 adamw fp32 none 17.05
        qovaryx 50m 4 2048 fp32 adamw fp32 none 5.42
        qovaryx 50m 16 2048 fp32 adamw fp32 block 5.46
        qovaryx 50m 4 2048 fp32 adamw fp32 block 2.52
        qovaryx 350m 8 2048 bf16 adamw fp32 none 23.73
        qovaryx 350m 2 2048 bf16 adamw fp32 none 10.91
        qovaryx 350m 8 2048 bf16 adamw fp32 block 10.96
        qovaryx 350m 2 2048 bf16 adamw fp32 block 8.32
        qovaryx 350m 8 2048 bf16 adamw8bit fp32 none 21.64
        qovaryx 350m 2 2048 bf16 adamw8bit fp32 none 8.80
        qovaryx 350m 8 2048 bf16 adamw8bit none none 20.27
        qovaryx 350m 2 2048 bf16 adamw8bit none none 7.52
        qovaryx 350m 8 2048 bf16 adamw8bit none block 7.67
        qovaryx 350m 2 2048 bf16 adamw8bit none block 4.76
        qovaryx 350m 8 2048 fp32 adamw fp32 none 38.19
        qovaryx 350m 2 2048 fp32 adamw fp32 none 14.17
        qovaryx 350m 8 2048 fp32 adamw fp32 block 12.07
        qovaryx 350m 2 2048 fp32 adamw fp32 block 8.80
        qovaryx 1b 4 2048 bf16 adamw fp32 none 31.63
        qovaryx 1b 1 2048 bf16 adamw fp32 none 23.57
        vuaf femto 64 512 bf16 adamw fp32 none 12.77
        vuaf femto 16 512 bf16 adamw fp32 none 3.43
        vuaf femto 64 512 bf16 adamw fp32 block 1.98
        vuaf femto 16 512 bf16 adamw fp32 block 0.86
        vuaf femto 64 512 bf16 adamw8bit fp32 none 12.96
        vuaf femto 16 512 bf16 adamw8bit fp32 none 3.59
        vuaf femto 64 512 fp32 adamw fp32 none 16.59
        vuaf femto 16 512 fp32 adamw fp32 none 4.99
        vuaf femto 64 512 fp32 adamw fp32 block 3.09
        vuaf femto 16 512 fp32 adamw fp32 block 1.68
        moa 150m 8 1024 bf16 adamw fp32 none 17.00
        moa 150m 2 1024 bf16 adamw fp32 none 6.45
        moa 150m 8 1024 bf16 adamw fp32 block 6.03
        moa 150m 2 1024 bf16 adamw fp32 block 3.98
        moa 150m 8 1024 bf16 adamw8bit fp32 none 16.48
        moa 150m 2 1024 bf16 adamw8bit fp32 none 5.88
        moa 150m 8 1024 fp32 adamw fp32 none 20.44
        moa 150m 2 1024 fp32 adamw fp32 none 7.44
        moa 150m 8 1024 fp32 adamw fp32 block 6.44
        moa 150m 2 1024 fp32 adamw fp32 block 4.33
        hybrid 16mb 32 1024 bf16 adamw fp32 none 19.10
        hybrid 16mb 8 1024 bf16 adamw fp32 none 5.24
        hybrid 16mb 32 1024 bf16 adamw fp32 block 6.82
        hybrid 16mb 8 1024 bf16 adamw fp32 block 2.12
        hybrid 16mb 32 1024 bf16 adamw8bit fp32 none 18.97
        hybrid 16mb 8 1024 bf16 adamw8bit fp32 none 5.12
        hybrid 16mb 32 1024 fp32 adamw fp32 none 21.88
        hybrid 16mb 8 1024 fp32 adamw fp32 none 5.84
        hybrid 16mb 32 1024 fp32 adamw fp32 block 7.15
        hybrid 16mb 8 1024 fp32 adamw fp32 block 2.29
        positronic 144m 4 1024 bf16 adamw fp32 none 8.99
        positronic 144m 2 1024 bf16 adamw fp32 none 6.58
        positronic 144m 4 1024 bf16 adamw fp32 block 6.03
        positronic 144m 2 1024 bf16 adamw fp32 block 5.38
        positronic 144m 4 1024 bf16 adamw8bit fp32 none 8.48
        positronic 144m 2 1024 bf16 adamw8bit fp32 none 6.06
        positronic 144m 4 1024 fp32 adamw fp32 none 10.01
        positronic 144m 2 1024 fp32 adamw fp32 none 7.01
        positronic 144m 4 1024 fp32 adamw fp32 block 6.22
        positronic 144m 2 1024 fp32 adamw fp32 block 5.50
        qovaryx 1b 4 2048 bf16 adamw8bit fp32 none 27.67
        qovaryx 1b 1 2048 bf16 adamw8bit fp32 none 19.74
        """;
}
