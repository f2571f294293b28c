using Hearth.Models;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests.Contract;

/// <summary>The forecast beside what libtorch's allocator reserved on a card (H200, <c>bench memory</c>, docs/gpu.md).</summary>
public sealed class CardMemoryTests
{
    private const double Allowed = 0.15;

    /// <summary>Family, size, rows, tokens of a row, precision, optimizer, masters, recomputation, GB reserved.</summary>
    public static TheoryData<ModelSpec, int, int, string, string, string, string, double> Measured() => Read(Table);

    /// <summary>The same of steps of two micro-batches, measured after the forecast was made.</summary>
    public static TheoryData<ModelSpec, int, int, string, string, string, string, double> Accumulated() => Read(TableOfTwo);

    private static TheoryData<ModelSpec, int, int, string, string, string, string, double> Read(string table)
    {
        var data = new TheoryData<ModelSpec, int, int, string, string, string, string, double>();
        foreach (string line in table.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] f = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            data.Add(new ModelSpec { Family = f[0], Size = f[1] }, int.Parse(f[2], null), int.Parse(f[3], null), f[4], f[5], f[6], f[7], double.Parse(f[8], null));
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Measured))]
    public void The_forecast_is_near_what_a_card_reserved(ModelSpec model, int rows, int length, string precision, string optimizer, string master, string recompute, double reserved) =>
        Assert.InRange(Forecast(model, rows, length, precision, optimizer, master, recompute, accumulates: false) / reserved, 1 - Allowed, 1 + Allowed);

    [Theory]
    [MemberData(nameof(Accumulated))]
    public void So_it_is_where_gradients_add_up(ModelSpec model, int rows, int length, string precision, string optimizer, string master, string recompute, double reserved) =>
        Assert.InRange(Forecast(model, rows, length, precision, optimizer, master, recompute, accumulates: true) / reserved, 1 - Allowed, 1 + Allowed);

    private static double Forecast(ModelSpec model, int rows, int length, string precision, string optimizer, string master, string recompute, bool accumulates)
    {
        var how = new OptimizerSpec { Name = optimizer };
        var plan = Families.Plan(model, new List<FieldError>())!.Under(new TrainSpec { Master = master }, how);
        return MemoryForecast.Of(plan, rows, length, precision, how, recompute: recompute, accumulates: accumulates).Reserved / 1e9;
    }

    private const string TableOfTwo = """
        qovaryx 50m 16 2048 bf16 adamw fp32 none 10.15
        qovaryx 50m 4 2048 bf16 adamw fp32 none 3.69
        qovaryx 50m 16 2048 bf16 adamw fp32 block 4.33
        qovaryx 50m 4 2048 bf16 adamw fp32 block 1.96
        qovaryx 350m 8 2048 bf16 adamw fp32 none 24.39
        qovaryx 350m 2 2048 bf16 adamw fp32 none 11.54
        qovaryx 350m 8 2048 bf16 adamw fp32 block 10.82
        qovaryx 350m 2 2048 bf16 adamw fp32 block 7.70
        qovaryx 1b 4 2048 bf16 adamw fp32 none 35.60
        qovaryx 1b 1 2048 bf16 adamw fp32 none 23.93
        qovaryx 1b 4 2048 bf16 adamw fp32 block 21.69
        qovaryx 1b 1 2048 bf16 adamw fp32 block 19.08
        vuaf femto 64 512 bf16 adamw fp32 none 12.93
        vuaf femto 16 512 bf16 adamw fp32 none 3.46
        vuaf femto 64 512 bf16 adamw fp32 block 2.01
        vuaf femto 16 512 bf16 adamw fp32 block 0.86
        moa 150m 8 1024 bf16 adamw fp32 none 17.72
        moa 150m 2 1024 bf16 adamw fp32 none 7.09
        moa 150m 8 1024 bf16 adamw fp32 block 6.10
        moa 150m 2 1024 bf16 adamw fp32 block 4.15
        hybrid 16mb 32 1024 bf16 adamw fp32 none 19.14
        hybrid 16mb 8 1024 bf16 adamw fp32 none 5.23
        hybrid 16mb 32 1024 bf16 adamw fp32 block 6.84
        hybrid 16mb 8 1024 bf16 adamw fp32 block 2.17
        positronic 144m 4 1024 bf16 adamw fp32 none 9.06
        positronic 144m 2 1024 bf16 adamw fp32 none 6.61
        positronic 144m 4 1024 bf16 adamw fp32 block 5.95
        positronic 144m 2 1024 bf16 adamw fp32 block 5.25
        """;

    private const string Table = """
        qovaryx 50m 16 2048 bf16 adamw fp32 none 10.04
        qovaryx 50m 4 2048 bf16 adamw fp32 none 3.53
        qovaryx 50m 16 2048 bf16 adamw fp32 block 4.33
        qovaryx 50m 4 2048 bf16 adamw fp32 block 1.88
        qovaryx 50m 16 2048 bf16 adamw8bit fp32 none 9.91
        qovaryx 50m 4 2048 bf16 adamw8bit fp32 none 3.30
        qovaryx 50m 16 2048 bf16 muon fp32 none 10.49
        qovaryx 50m 4 2048 bf16 muon fp32 none 3.90
        qovaryx 50m 16 2048 bf16 adamw8bit none none 9.74
        qovaryx 50m 4 2048 bf16 adamw8bit none none 3.19
        qovaryx 50m 16 2048 bf16 adamw8bit none block 4.08
        qovaryx 50m 4 2048 bf16 adamw8bit none block 1.44
        qovaryx 50m 16 2048 fp32 adamw fp32 none 16.72
        qovaryx 50m 4 2048 fp32 adamw fp32 none 5.10
        qovaryx 50m 16 2048 fp32 adamw fp32 block 5.11
        qovaryx 50m 4 2048 fp32 adamw fp32 block 2.26
        qovaryx 350m 8 2048 bf16 adamw fp32 none 23.28
        qovaryx 350m 2 2048 bf16 adamw fp32 none 10.20
        qovaryx 350m 8 2048 bf16 adamw fp32 block 10.16
        qovaryx 350m 2 2048 bf16 adamw fp32 block 7.50
        qovaryx 350m 8 2048 bf16 adamw8bit fp32 none 20.92
        qovaryx 350m 2 2048 bf16 adamw8bit fp32 none 8.08
        qovaryx 350m 8 2048 bf16 muon fp32 none 22.22
        qovaryx 350m 2 2048 bf16 muon fp32 none 9.36
        qovaryx 350m 8 2048 bf16 adamw8bit none none 19.52
        qovaryx 350m 2 2048 bf16 adamw8bit none none 6.76
        qovaryx 350m 8 2048 bf16 adamw8bit none block 6.88
        qovaryx 350m 2 2048 bf16 adamw8bit none block 3.93
        qovaryx 350m 8 2048 fp32 adamw fp32 none 37.32
        qovaryx 350m 2 2048 fp32 adamw fp32 none 13.27
        qovaryx 350m 8 2048 fp32 adamw fp32 block 11.08
        qovaryx 350m 2 2048 fp32 adamw fp32 block 7.78
        qovaryx 1b 4 2048 bf16 adamw fp32 none 30.29
        qovaryx 1b 1 2048 bf16 adamw fp32 none 22.29
        qovaryx 1b 4 2048 bf16 adamw fp32 block 21.69
        qovaryx 1b 1 2048 bf16 adamw fp32 block 18.96
        qovaryx 1b 4 2048 bf16 adamw8bit fp32 none 24.25
        qovaryx 1b 1 2048 bf16 adamw8bit fp32 none 16.31
        qovaryx 1b 4 2048 bf16 muon fp32 none 26.56
        qovaryx 1b 1 2048 bf16 muon fp32 none 18.54
        qovaryx 1b 4 2048 bf16 adamw8bit none none 20.22
        qovaryx 1b 1 2048 bf16 adamw8bit none none 9.29
        qovaryx 1b 4 2048 bf16 adamw8bit none block 11.32
        qovaryx 1b 1 2048 bf16 adamw8bit none block 8.64
        qovaryx 1b 4 2048 fp32 adamw fp32 none 40.17
        qovaryx 1b 1 2048 fp32 adamw fp32 none 20.32
        qovaryx 1b 4 2048 fp32 adamw fp32 block 22.47
        qovaryx 1b 1 2048 fp32 adamw fp32 block 19.22
        vuaf femto 64 512 bf16 adamw fp32 none 12.77
        vuaf femto 16 512 bf16 adamw fp32 none 3.46
        vuaf femto 64 512 bf16 adamw fp32 block 2.01
        vuaf femto 16 512 bf16 adamw fp32 block 0.90
        vuaf femto 64 512 bf16 adamw8bit fp32 none 12.91
        vuaf femto 16 512 bf16 adamw8bit fp32 none 3.45
        vuaf femto 64 512 bf16 muon fp32 none 12.91
        vuaf femto 16 512 bf16 muon fp32 none 3.46
        vuaf femto 64 512 fp32 adamw fp32 none 16.30
        vuaf femto 16 512 fp32 adamw fp32 none 4.42
        vuaf femto 64 512 fp32 adamw fp32 block 2.43
        vuaf femto 16 512 fp32 adamw fp32 block 1.06
        moa 150m 8 1024 bf16 adamw fp32 none 17.00
        moa 150m 2 1024 bf16 adamw fp32 none 6.49
        moa 150m 8 1024 bf16 adamw fp32 block 5.98
        moa 150m 2 1024 bf16 adamw fp32 block 3.91
        moa 150m 8 1024 bf16 adamw8bit fp32 none 16.44
        moa 150m 2 1024 bf16 adamw8bit fp32 none 5.81
        moa 150m 8 1024 bf16 muon fp32 none 17.21
        moa 150m 2 1024 bf16 muon fp32 none 6.70
        moa 150m 8 1024 fp32 adamw fp32 none 20.27
        moa 150m 2 1024 fp32 adamw fp32 none 7.23
        moa 150m 8 1024 fp32 adamw fp32 block 5.97
        moa 150m 2 1024 fp32 adamw fp32 block 3.87
        hybrid 16mb 32 1024 bf16 adamw fp32 none 19.10
        hybrid 16mb 8 1024 bf16 adamw fp32 none 5.22
        hybrid 16mb 32 1024 bf16 adamw fp32 block 6.84
        hybrid 16mb 8 1024 bf16 adamw fp32 block 2.13
        hybrid 16mb 32 1024 bf16 adamw8bit fp32 none 18.96
        hybrid 16mb 8 1024 bf16 adamw8bit fp32 none 5.06
        hybrid 16mb 32 1024 bf16 muon fp32 none 19.70
        hybrid 16mb 8 1024 bf16 muon fp32 none 5.83
        hybrid 16mb 32 1024 fp32 adamw fp32 none 21.83
        hybrid 16mb 8 1024 fp32 adamw fp32 none 5.79
        hybrid 16mb 32 1024 fp32 adamw fp32 block 7.03
        hybrid 16mb 8 1024 fp32 adamw fp32 block 2.24
        positronic 144m 4 1024 bf16 adamw fp32 none 8.99
        positronic 144m 2 1024 bf16 adamw fp32 none 6.61
        positronic 144m 4 1024 bf16 adamw fp32 block 5.95
        positronic 144m 2 1024 bf16 adamw fp32 block 5.25
        positronic 144m 4 1024 bf16 adamw8bit fp32 none 8.38
        positronic 144m 2 1024 bf16 adamw8bit fp32 none 5.95
        positronic 144m 4 1024 bf16 muon fp32 none 8.55
        positronic 144m 2 1024 bf16 muon fp32 none 6.12
        positronic 144m 4 1024 fp32 adamw fp32 none 9.83
        positronic 144m 2 1024 fp32 adamw fp32 none 6.82
        positronic 144m 4 1024 fp32 adamw fp32 block 6.00
        positronic 144m 2 1024 fp32 adamw fp32 block 5.17
        """;
}
