using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Hearth.Api;
using Hearth.Cli.Bench.Simulated;
using Hearth.Cli.Client;

namespace Hearth.Cli.Bench;

/// <summary><c>bench pages</c>: what the page of runs asks for, of a coordinator whose database has many runs.</summary>
internal static class PagesBench
{
    private const int Rounds = 100;

    // As the dashboard asks: its sections by state, the next page, and what somebody types into the filter.
    private static readonly (string Name, string Path)[] Requests =
    [
        ("first page, live", "runs?state=starting,running,paused,queued&limit=100"),
        ("first page, over", "runs?state=succeeded,failed,cancelled&limit=100"),
        ("page 51, over", "runs?state=succeeded,failed,cancelled&limit=100&cursor=5000"),
        ("training, for its count", "runs?state=starting,running&limit=100"),
        ("family", "runs?family=moa&state=succeeded,failed,cancelled&limit=100"),
        ("text in many", "runs?q=bulk&state=succeeded,failed,cancelled&limit=100"),
        ("text in one", "runs?q=bulk-4321&state=succeeded,failed,cancelled&limit=100"),
        ("text in none", "runs?q=nothing&state=succeeded,failed,cancelled&limit=100"),
    ];

    public static Command Create()
    {
        var runs = Given.Number("--runs", "How many runs there are.", 10_000, 100, 1_000_000);
        var json = new Option<bool>("--json") { Description = "Print the figures as JSON." };
        var command = new Command("pages", "Milliseconds of the requests that the page of runs makes, over many runs.") { runs, json };
        command.SetAction((parsed, stop) => Guard.RunAsync(async () =>
        {
            await using var pool = await ClusterPool.StartAsync(1, Console.Error.WriteLine, stop);
            await pool.QueryAsync(Insert(parsed.GetValue(runs)), stop);
            await pool.QueryAsync("vacuum analyze", stop);
            var all = new List<(string Name, Sample Milliseconds, long Total)>();
            foreach (var (name, path) in Requests)
            {
                all.Add(await MeasureAsync(pool.Clients[0], name, path, stop));
            }

            var output = new Output(Console.Out, parsed.GetValue(json));
            return output.Show(
                all.Select(a => new { request = a.Name, of = a.Total, milliseconds_p50 = a.Milliseconds.Median, milliseconds_p95 = a.Milliseconds.Percentile(95), milliseconds_max = a.Milliseconds.Max }).ToList(),
                figures => output.Table(
                    ["request", "of runs", "p50", "p95", "max"],
                    figures.Select(f => new[]
                    {
                        f.request, Text.Count(f.of), Text.Milliseconds(f.milliseconds_p50 / 1000), Text.Milliseconds(f.milliseconds_p95 / 1000), Text.Milliseconds(f.milliseconds_max / 1000),
                    })));
        }));
        return command;
    }

    private static async Task<(string Name, Sample Milliseconds, long Total)> MeasureAsync(ApiClient client, string name, string path, CancellationToken stop)
    {
        var milliseconds = new List<double>();
        long total = (await client.GetAsync<Page<RunSummary>>(path, stop)).Total;
        for (int i = 0; i < Rounds; i++)
        {
            long began = Stopwatch.GetTimestamp();
            await client.GetAsync<Page<RunSummary>>(path, stop);
            milliseconds.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }

        return (name, new Sample(milliseconds), total);
    }

    /// <summary>Runs of four families, each ended one with two attempts; a hundredth are held paused, so that no scheduler moves them.</summary>
    private static string Insert(int count) => string.Create(
        CultureInfo.InvariantCulture,
        $$"""
        insert into workers (id, name, token_sha256, agent_version, devices)
            select gen_random_uuid(), 'w' || i, sha256(convert_to('bench' || i, 'UTF8')), 'bench', '[{"index": 0, "model": "A card"}]' from generate_series(1, 20) i;
        insert into runs (id, name, state, priority, spec, parameters, created_by, step, loss, tokens, sparkline, ended_at)
            select gen_random_uuid(), 'bulk-' || i, case when i % 100 = 0 then 'paused' when i % 7 = 0 then 'failed' when i % 11 = 0 then 'cancelled' else 'succeeded' end, 1,
                jsonb_build_object(
                    'name', 'bulk-' || i, 'task', 'pretrain', 'model', jsonb_build_object('family', (array['qovaryx', 'moa', 'hybrid', 'vuaf'])[1 + i % 4], 'size', 'nano'),
                    'data', jsonb_build_object('dataset', 'docs', 'seq_len', 256), 'train', jsonb_build_object('steps', 1000, 'batch_tokens', 16384),
                    'run', jsonb_build_object('tags', jsonb_build_array('sweep-' || i % 50)),
                    'optimizer', jsonb_build_object('kind', 'adamw', 'lr', 0.0003, 'betas', jsonb_build_array(0.9, 0.95), 'notes', repeat('x', 1500))),
                1000000, 'bench', 1000, 2.5, 16384000, array(select 3 - 0.01 * g from generate_series(1, 60) g), now()
            from generate_series(1, {{count}}) i;
        insert into attempts (id, run_id, number, epoch, worker_id, device_index, micro_batch, state, lease_ends_at, ended_at)
            select gen_random_uuid(), r.id, n, n, (select id from workers where name = 'w' || 1 + r.number % 20), 0, 4, case n when 1 then 'lost' else 'succeeded' end, now(), now()
            from runs r, generate_series(1, 2) n
        """);
}
