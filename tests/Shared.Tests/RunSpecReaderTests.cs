using System.Text.Json;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests;

public sealed class RunSpecReaderTests
{
    private const string Smallest = """{"name":"a-run","model":{"family":"qovaryx","size":"nano"},"data":{"dataset":"docs"}}""";

    [Fact]
    public void An_empty_text_is_called_empty() =>
        Assert.Equal(
            "data.dataset is empty. A dataset of the pool.",
            Assert.Single(RunSpecReader.Read(JsonDocument.Parse("""{"name":"a","model":{"family":"qovaryx","size":"nano"},"data":{"dataset":""}}""").RootElement).Errors).Message);

    [Fact]
    public void The_smallest_spec_is_filled_with_defaults()
    {
        var result = Read(Smallest);

        Assert.Empty(result.Errors);
        Assert.Equal(256, result.Spec!.Data.SeqLen);
        Assert.Equal("adamw", result.Spec.Optimizer.Name);
        Assert.Equal(RunPriority.Normal, result.Spec.Run.Priority);
    }

    [Fact]
    public void Model_overrides_reach_the_family_untouched()
    {
        var result = Read("""{"name":"a","model":{"family":"qovaryx","size":"nano","d_model":96},"data":{"dataset":"docs"}}""");

        Assert.Equal(96, result.Spec!.Model.Overrides["d_model"].GetInt32());
    }

    [Theory]
    [InlineData("{}", 100)]
    [InlineData("""{"steps":1}""", 0)]
    [InlineData("""{"steps":9}""", 0)]
    [InlineData("""{"steps":10}""", 1)]
    [InlineData("""{"steps":50}""", 5)]
    [InlineData("""{"steps":999}""", 99)]
    [InlineData("""{"steps":1000}""", 100)]
    [InlineData("""{"steps":100000}""", 100)]
    public void A_warm_up_that_nobody_named_is_at_most_a_tenth_of_the_run(string train, int steps)
    {
        foreach (string optimizer in new[] { "", ""","optimizer":{"lr":0.001}""" })
        {
            var result = Read($$"""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"train":{{train}}{{optimizer}}}""");

            Assert.Empty(result.Errors);
            Assert.Equal(steps, result.Spec!.Optimizer.WarmupSteps);
        }
    }

    [Theory]
    [InlineData(50, 0)]
    [InlineData(50, 20)]
    [InlineData(50, 50)]
    [InlineData(2000, 400)]
    public void A_named_warm_up_is_taken_as_it_is(int steps, int warmup)
    {
        var result = Read($$$"""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"train":{"steps":{{{steps}}}},"optimizer":{"warmup_steps":{{{warmup}}}}}""");

        Assert.Empty(result.Errors);
        Assert.Equal(warmup, result.Spec!.Optimizer.WarmupSteps);
    }

    [Fact]
    public void A_spec_that_was_read_reads_the_same_again()
    {
        var first = Read("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"train":{"steps":30}}""").Spec!;

        var again = Read(JsonSerializer.Serialize(first with { Train = first.Train with { Steps = 60 } }, Json.Wire)).Spec!;

        Assert.Equal(3, again.Optimizer.WarmupSteps);
    }

    [Theory]
    [InlineData("""{"model":{"family":"q","size":"n"},"data":{"dataset":"d"}}""", "name", "name is missing.")]
    [InlineData("""{"name":"a","model":{"family":"q"},"data":{"dataset":"d"}}""", "model.size", "model.size is missing.")]
    [InlineData("""{"name":"a b","model":{"family":"q","size":"n"},"data":{"dataset":"d"}}""", "name", "name is a b.")]
    [InlineData("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d","seq_len":4}}""", "data.seq_len", "data.seq_len is 4. Allowed: 8 to 1,048,576.")]
    [InlineData("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d","seq_len":"256"}}""", "data.seq_len", "data.seq_len is 256.")]
    [InlineData("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d","seq_length":256}}""", "data.seq_length", "No field is called data.seq_length. Nearest: data.seq_len.")]
    [InlineData("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"optimizer":{"lr":-1}}""", "optimizer.lr", "optimizer.lr is -1.")]
    [InlineData("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"run":{"priority":"urgent"}}""", "run.priority", "Allowed: low, normal, high.")]
    [InlineData("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"train":{"batch_tokens":1000}}""", "train.batch_tokens", "no whole number of rows of 256 (data.seq_len). Nearest: 768.")]
    [InlineData("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"train":{"micro_batch":5}}""", "train.micro_batch", "does not divide the batch of 16 rows")]
    [InlineData("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"train":{"steps":50},"optimizer":{"warmup_steps":100}}""", "optimizer.warmup_steps", "A warm-up of 100 steps (optimizer.warmup_steps) is longer than the run's 50 (train.steps). Allowed: 0 to 50.")]
    [InlineData("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"train":{"length_curriculum":"512;1000"}}""", "train.length_curriculum", "train.length_curriculum is 512;1000. Allowed: lengths with the step")]
    [InlineData("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"train":{"length_curriculum":"64, 128:100"}}""", "train.length_curriculum", "Allowed: lengths with the step")]
    [InlineData("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"train":{"length_curriculum":[{"length":64,"until":5}]}}""", "train.length_curriculum", "Allowed: lengths with the step")]
    [InlineData("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"train":{"length_curriculum":"4:100, 128"}}""", "train.length_curriculum", "rows of 4 tokens. Allowed: 8 to 1,048,576.")]
    [InlineData("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"train":{"length_curriculum":"96:100, 128"}}""", "train.length_curriculum", "Rows of 96 in train.length_curriculum do not divide the 4,096 tokens of a step (train.batch_tokens).")]
    [InlineData("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"train":{"length_curriculum":"128:100, 64"}}""", "train.length_curriculum", "Rows of 64 in train.length_curriculum follow rows of 128; lengths rise. Allowed: more than 128.")]
    [InlineData("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"train":{"length_curriculum":"64:100, 128:100, 256"}}""", "train.length_curriculum", "ends at step 100, and the one before it at 100; ends rise. Allowed: more than 100.")]
    [InlineData("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"train":{"length_curriculum":"64:100, 128:900"}}""", "train.length_curriculum", "ends at step 900, before the run does at 1,000 (train.steps). Allowed: no end, or at least 1,000.")]
    [InlineData("""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"optimizer":{"ema":0.99,"swa_snapshots":5}}""", "optimizer.swa_snapshots", "a run keeps one average. Allowed: 0 in one of them.")]
    [InlineData("""{"name":"a","model":[],"data":{"dataset":"d"}}""", "model", "Allowed: an object.")]
    [InlineData("""{"name":"a","name":"b","model":{"family":"q","size":"n"},"data":{"dataset":"d"}}""", "name", "name is given twice.")]
    public void A_wrong_field_is_named_with_its_value_and_what_is_allowed(string json, string field, string words)
    {
        var result = Read(json);

        Assert.Null(result.Spec);
        var error = Assert.Single(result.Errors, e => e.Field == field);
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1e2", 100)]
    [InlineData("1E2", 100)]
    [InlineData("2.5e1", 25)]
    [InlineData("100.0", 100)]
    [InlineData("100", 100)]
    public void A_whole_number_is_one_however_it_is_written(string written, int steps)
    {
        var result = Read($$$"""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"train":{"steps":{{{written}}}}}""");

        Assert.Empty(result.Errors);
        Assert.Equal(steps, result.Spec!.Train.Steps);
    }

    [Theory]
    [InlineData("1e-2")]
    [InlineData("1e99")]
    [InlineData("1.5")]
    [InlineData("-1")]
    public void What_is_no_whole_number_in_range_is_refused(string written) =>
        Assert.Equal("train.steps", Assert.Single(Read($$$"""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"train":{"steps":{{{written}}}}}""").Errors).Field);

    [Theory]
    [InlineData(""" "train":{"steps":-1,"batch_tokens":1000} """, "train.steps train.batch_tokens")]
    [InlineData(""" "train":{"steps":-1},"optimizer":{"warmup_steps":5000} """, "train.steps")]
    [InlineData(""" "train":{"batch_tokens":"many","micro_batch":5} """, "train.batch_tokens")]
    [InlineData(""" "train":{"micro_batch":5},"optimizer":{"ema":0.9,"swa_snapshots":5,"lr":"fast"} """, "optimizer.lr optimizer.swa_snapshots train.micro_batch")]
    [InlineData(""" "train":7,"eval":{"rows":0} """, "train eval.rows")]
    [InlineData(""" "run":{"tags":["",1]} """, "run.tags")]
    public void One_wrong_field_hides_no_other_and_makes_none(string sections, string fields)
    {
        var result = Read($$"""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},{{sections}}}""");

        Assert.Equal(fields.Split(' ').Order(StringComparer.Ordinal), result.Errors.Select(e => e.Field).Order(StringComparer.Ordinal));
        Assert.Null(result.Spec);
        Assert.Equal("d", result.Readable!.Data.Dataset);
    }

    [Fact]
    public void Lists_names_and_values_are_bounded_and_what_is_told_of_them_is_short()
    {
        string many = string.Join(',', Enumerable.Range(0, 300_000).Select(i => $"\"key{i}\":1")), tags = string.Join(',', Enumerable.Repeat("\"t\"", 10_000));
        string text = new('n', 1_000_000);

        var keys = Read($$$"""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},{{{many}}} }""");
        var tagged = Read($$$"""{"name":"a","model":{"family":"q","size":"n"},"data":{"dataset":"d"},"run":{"tags":[{{{tags}}}]}}""");
        var named = Read($$$"""{"name":"{{{text}}}","{{{text}}}":1,"model":{"family":"q","size":"n"},"data":{"dataset":"d"}}""");

        Assert.Equal(RunSpecReader.MostErrors, keys.Errors.Count);
        Assert.Equal("run.tags", Assert.Single(tagged.Errors).Field);
        Assert.All(named.Errors, e => Assert.InRange(e.Message.Length, 1, 1001));
        Assert.All(named.Errors, e => Assert.InRange(e.Value.Length + e.Field.Length, 1, 242));
    }

    [Fact]
    public void All_errors_are_reported_at_once()
    {
        var result = Read("""{"data":{"seq_len":1},"colour":"red"}""");

        Assert.Superset(
            new HashSet<string> { "name", "model.family", "model.size", "data.dataset", "data.seq_len", "colour" },
            result.Errors.Select(e => e.Field).ToHashSet());
    }

    [Fact]
    public void Every_field_of_the_record_is_in_the_table_and_back()
    {
        var result = Read(Smallest);
        using var written = JsonDocument.Parse(JsonSerializer.Serialize(result.Spec, Json.Wire));
        var paths = written.RootElement.EnumerateObject().SelectMany(section =>
            section.Value.ValueKind == JsonValueKind.Object
                ? section.Value.EnumerateObject().Select(p => $"{section.Name}.{p.Name}")
                : [section.Name]);

        Assert.Equal(RunSpecFields.All.Select(r => r.Path).Order(StringComparer.Ordinal), paths.Order(StringComparer.Ordinal));
        Assert.Empty(RunSpecReader.Read(written.RootElement).Errors);
    }

    private static RunSpecResult Read(string json)
    {
        using var document = JsonDocument.Parse(json);
        return RunSpecReader.Read(document.RootElement.Clone());
    }
}
