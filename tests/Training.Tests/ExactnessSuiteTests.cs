using System.Text.Json;
using System.Text.RegularExpressions;
using Hearth.Models;
using Hearth.Runs;
using Hearth.Training.Exactness;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Training.Tests;

/// <summary>
/// What <c>selftest exact</c> does on a card, done on the CPU at nano sizes: a recording is work that is done again with the tensors and
/// choices of its recording.
/// </summary>
public sealed class ExactnessSuiteTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly StringWriter _log = new();

    public static TheoryData<string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string>();
            foreach (var family in Families.All)
            {
                cases.Add(family.Name, ExactnessCase.Wide);
            }

            // bf16 takes other paths on a card; on a CPU only its copies of the weights, which two optimizers show.
            cases.Add("qovaryx", ExactnessCase.Narrow);
            cases.Add("hybrid", ExactnessCase.Narrow);
            return cases;
        }
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_family_gives_the_same_bits_twice_and_resumed_recorded_and_launched(string family, string precision)
    {
        int recordings = 0;
        var suite = Run(Nano(family, precision), work =>
        {
            recordings++;
            return (work, Nothing.ToFree);
        });

        Assert.True(suite is { Passed: 5, Failed: 0, Skipped: 0 }, _log.ToString());
        Assert.InRange(recordings, 2 + 2 + 1, int.MaxValue);
        Assert.Equal(
            ["recorded, twice", "recorded, killed and resumed after step 5", "launched as recorded", "launched, twice", "launched, killed and resumed after step 5"],
            Lines.SkipLast(1).Select(line => Regex.Match(line, $@"^ok     {family} nano, 2 x 2 x 32, {precision}: (.+): trace [0-9a-f]{{16}}(, \d recordings)? \(\d+\.\d s\)$").Groups[1].Value));
        Assert.Equal("5 passed, 0 failed, 0 skipped", Lines[^1]);
        Assert.Empty(Directory.GetDirectories(_folder.Path, "run"));
    }

    [Fact]
    public void A_case_has_all_that_could_disturb_a_step()
    {
        foreach (var one in ExactnessCase.MainSizes)
        {
            var spec = one.Spec(saves: true);
            var read = RunChecks.Validate(JsonSerializer.SerializeToElement(spec, Json.Wire));

            Assert.Empty(read.Errors);
            Assert.Equal([one.Length / 2, one.Length], spec.Train.LengthCurriculum.Stages.Select(s => s.Length));
            Assert.True(BatchShape.At(spec, one.Rows, 0).MicroBatches == 2 && BatchShape.At(spec, one.Rows, ExactnessCase.Steps).MicroBatches == 2);
            Assert.InRange(spec.Eval.EverySteps, 1, ExactnessCase.CheckpointStep - 1);
            Assert.InRange(spec.Sample.EverySteps, 1, ExactnessCase.CheckpointStep - 1);
            Assert.InRange(spec.Checkpoint.EverySteps, 1 + ExactnessCase.StageSteps, ExactnessCase.Steps - 1);
        }
    }

    [Fact]
    public void The_main_sizes_are_every_familys_at_the_rows_that_it_trains_on()
    {
        Assert.Equal(
            ["hybrid 16mb 1024", "moa 150m 1024", "positronic 144m 1024", "qovaryx 1b 2048", "qovaryx 350m 2048", "qovaryx 50m 2048", "vuaf femto 512"],
            ExactnessCase.MainSizes.Select(c => $"{c.Model.Family} {c.Model.Size} {c.Length}").Distinct().Order(StringComparer.Ordinal));
        Assert.All(ExactnessCase.MainSizes.GroupBy(c => (c.Model.Family, c.Model.Size)), size => Assert.Equal(["bf16", "fp32"], size.Select(c => c.Precision)));
    }

    [Fact]
    public void A_replay_that_does_something_else_than_its_work_is_told()
    {
        var suite = Run(Nano("qovaryx", ExactnessCase.Wide), work => (
            () =>
            {
                work();
                work();
            },
            Nothing.ToFree));

        // A resumed run launches its first micro-batches, which the straight one replays.
        Assert.Equal((3, 2), (suite.Passed, suite.Failed));
        Assert.Matches(@"^FAILED qovaryx nano, .*: launched as recorded: losses differ from step \d on, trace \w{16} instead of \w{16}; \d+ of \d+ weights differ, the first is \S+ \(", Lines[2]);
    }

    [Fact]
    public void A_replay_that_is_not_the_same_twice_is_told()
    {
        int replays = 0;
        var suite = Run(Nano("qovaryx", ExactnessCase.Wide), work => (
            () =>
            {
                work();
                if (++replays == 1)
                {
                    work();
                }
            },
            Nothing.ToFree));

        Assert.Contains("recorded, twice: losses differ from step 3 on", Lines[0], StringComparison.Ordinal);
        Assert.Contains("recorded, killed and resumed after step 5: losses differ from step 6 on", Lines[1], StringComparison.Ordinal);
        Assert.Equal((2, 3), (suite.Passed, suite.Failed));
    }

    [Fact]
    public void Steps_that_cannot_be_recorded_fail_with_the_reason()
    {
        var suite = Run(Nano("qovaryx", ExactnessCase.Wide), _ => throw new InvalidOperationException("operation not permitted when stream is capturing"));

        Assert.Equal((2, 3), (suite.Passed, suite.Failed));
        Assert.Contains("recorded, twice: its steps were not recorded: operation not permitted when stream is capturing (", Lines[0], StringComparison.Ordinal);
    }

    [Fact]
    public void A_case_that_does_not_fit_is_skipped_with_what_it_needs()
    {
        var suite = Run(Nano("qovaryx", ExactnessCase.Wide), work => (work, Nothing.ToFree), free: 3L << 25);

        Assert.Equal((0, 0, 1), (suite.Passed, suite.Failed, suite.Skipped));
        Assert.Matches(@"^skip   qovaryx nano, 2 x 2 x 32, fp32: skipped: needs 0\.3 GiB, 0\.1 GiB are free$", Lines[0]);
        Assert.Equal("0 passed, 0 failed, 1 skipped", Lines[1]);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Byte)]
    public void A_digest_tells_one_changed_element_and_two_that_changed_places(ScalarType type)
    {
        var values = arange(1, 101, float32).view(10, 10).to(type);
        var (changed, swapped) = (values.clone(), values.clone());
        changed[9, 9] = tensor(101).to(type);
        swapped[0, 0] = values[7, 3];
        swapped[7, 3] = values[0, 0];

        Assert.Equal(TensorDigest.Of(values), TensorDigest.Of(values.clone()));
        Assert.Equal(4, new[] { values, changed, swapped, values.t().contiguous() }.Select(TensorDigest.Of).Distinct().Count());
    }

    private string[] Lines => _log.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);

    // Hybrid nano's own 256 entries are too few for a tokenizer.
    private static ExactnessCase Nano(string family, string precision)
    {
        var model = new ModelSpec { Family = family, Size = "nano" };
        return new ExactnessCase(family == "hybrid" ? model with { Overrides = new() { ["vocab_size"] = JsonSerializer.SerializeToElement(512) } } : model, 32, 2, precision);
    }

    private ExactnessSuite Run(ExactnessCase one, RecordWork record, long? free = null)
    {
        var suite = new ExactnessSuite(_log, CPU, _folder.Path, record) { Threads = 1, FreeBytes = free is { } bytes ? _ => bytes : null };
        suite.Run([one]);
        return suite;
    }
}
