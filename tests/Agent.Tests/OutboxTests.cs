using System.Net;
using System.Text;
using Hearth.Agent.Tests.Support;
using Hearth.Protocol;
using Xunit;

namespace Hearth.Agent.Tests;

public sealed class OutboxTests : IDisposable
{
    private static readonly AgentTimings Quick = new() { Batch = TimeSpan.Zero, FirstRetry = TimeSpan.FromMilliseconds(1), LastRetry = TimeSpan.FromMilliseconds(2) };
    private readonly TempFolder _folder = new();
    private readonly Kept<string> _sent = new();
    private readonly StringWriter _log = new();
    private volatile Func<string, Exception?> _fault = _ => null;

    private string File => _folder.At("box");

    [Fact]
    public async Task Batches_go_out_in_order_and_the_folder_is_empty_afterwards()
    {
        var box = Box();
        var run = box.RunAsync(CancellationToken.None);
        for (int i = 1; i <= 100; i++)
        {
            box.Add(i);
            await Task.Yield();
        }

        box.Complete();
        await run;

        Assert.Equal(Enumerable.Range(1, 100), Items());
        Assert.Empty(Directory.GetFiles(File));
    }

    [Fact]
    public async Task While_nobody_answers_batches_wait_on_disk_and_then_go_out_in_order_under_their_first_numbers()
    {
        _fault = _ => new CoordinatorException(null, "away");
        var box = Box();
        var run = box.RunAsync(CancellationToken.None);
        for (int i = 1; i <= 20; i++)
        {
            long before = Length();
            box.Add(i);
            await Eventually.TrueAsync(() => Length() > before, "the batch is on disk", _log.ToString);
        }

        box.Complete();
        Assert.Empty(_sent.All);
        _fault = _ => null;
        await run;

        Assert.Equal(Enumerable.Range(1, 20), Items());
        Assert.Equal(Enumerable.Range(1, _sent.All.Count), _sent.All.Select(s => int.Parse(s.Split(':')[0], System.Globalization.CultureInfo.InvariantCulture)));
    }

    [Fact]
    public async Task A_batch_that_is_refused_for_what_it_says_does_not_hold_up_the_others()
    {
        _fault = text => text.EndsWith(":2", StringComparison.Ordinal) ? new CoordinatorException(HttpStatusCode.BadRequest, "no") : null;
        var box = Box();
        var run = box.RunAsync(CancellationToken.None);
        for (int i = 1; i <= 3; i++)
        {
            int sent = i == 3 ? 1 : i - 1;
            box.Add(i);
            await Eventually.TrueAsync(() => i == 2 ? _log.ToString().Contains("batch 2", StringComparison.Ordinal) : _sent.All.Count > sent, "it is handled", _log.ToString);
        }

        box.Complete();
        await run;

        Assert.Equal([1, 3], Items());
    }

    [Theory]
    [InlineData(HttpStatusCode.UnprocessableEntity)]
    [InlineData(HttpStatusCode.RequestEntityTooLarge)]
    [InlineData(HttpStatusCode.NotFound)]
    [InlineData(HttpStatusCode.InternalServerError)]
    public async Task What_no_repeat_brings_in_is_set_aside_counted_and_told_and_the_rest_goes_on(HttpStatusCode status)
    {
        _fault = text => text.EndsWith(":1", StringComparison.Ordinal) ? new CoordinatorException(status, "no such text") : null;
        var refused = new DeadLetters(_folder.At("refused"), new AgentLog(_log));
        var box = Box(refused: refused);
        var run = box.RunAsync(CancellationToken.None);
        box.Add(1);
        await Eventually.TrueAsync(() => refused.Report is not null, "it is set aside", _log.ToString);
        box.Add(2);
        box.Complete();
        await run;

        Assert.Equal([2], Items());
        Assert.Equal(new RefusedLetters(1, "box: batch 1: no such text"), refused.Report);
        Assert.Equal("1:1", await System.IO.File.ReadAllTextAsync(Assert.Single(Directory.EnumerateFiles(_folder.At("refused")))));
        refused.Told(refused.Report);
        Assert.Null(refused.Report);
    }

    [Fact]
    public async Task A_fenced_epoch_ends_the_box_at_once_though_nobody_completed_it()
    {
        _fault = _ => new CoordinatorException(HttpStatusCode.Conflict, "over");
        var box = Box();
        box.Add(1);

        Assert.True((await Assert.ThrowsAsync<CoordinatorException>(() => box.RunAsync(CancellationToken.None))).IsFenced);
    }

    [Fact]
    public async Task A_folder_that_cannot_be_written_costs_memory_not_points()
    {
        System.IO.File.WriteAllText(_folder.At("a-file"), "");
        var box = Box(_folder.At("a-file", "box"));
        box.Add(1);
        var run = box.RunAsync(CancellationToken.None);
        box.Complete();
        await run;

        Assert.Equal([1], Items());
        Assert.Contains("kept in memory", _log.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_one_box_left_on_disk_the_next_sends_first_in_order_and_goes_on_counting()
    {
        _fault = _ => new CoordinatorException(null, "away");
        var left = Box();
        using var crash = new CancellationTokenSource();
        var run = left.RunAsync(crash.Token);
        for (int i = 1; i <= 12; i++)
        {
            long before = Length();
            left.Add(i);
            await Eventually.TrueAsync(() => Length() > before, "the batch is on disk", _log.ToString);
        }

        await crash.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        System.IO.File.WriteAllText(Path.Combine(File, "000000000099.batch.new"), "cut");
        _fault = _ => null;
        var next = Box();
        next.Add(13);
        next.Complete();
        await next.RunAsync(CancellationToken.None);

        Assert.Equal(Enumerable.Range(1, 13).Select(i => $"{i}:{i}"), _sent.All);
        Assert.Empty(Directory.GetFiles(File, "*.batch"));
    }

    [Fact]
    public void A_full_spool_lets_its_oldest_batches_go_and_never_its_newest()
    {
        var spool = new Spool(File, most: 5 * 4096);
        for (int i = 1; i <= 5; i++)
        {
            Assert.Empty(spool.Add(i, [(byte)i]));
        }

        Assert.Equal([1L, 2L], spool.Add(6, new byte[6000]));
        Assert.Equal([3L, 4L, 5L, 6L], spool.Numbers);
        Assert.Null(spool.Read(1));
        Assert.Equal<byte>([3], spool.Read(3)!);
        Assert.Equal([3L, 4L, 5L, 6L], spool.Add(7, new byte[30_000]));
        Assert.Equal([7L], new Spool(File).Numbers);
        spool.Remove(7);
        Assert.False(Spool.IsLeft(File));
    }

    public void Dispose() => _folder.Dispose();

    private Outbox<int> Box(string? path = null, DeadLetters? refused = null) => new(
        path ?? File,
        (sequence, items) => Encoding.UTF8.GetBytes($"{sequence}:{string.Join(',', items)}"),
        (bytes, _) =>
        {
            string text = Encoding.UTF8.GetString(bytes.Span);
            if (_fault(text) is { } fault)
            {
                return Task.FromException(fault);
            }

            _sent.Add(text);
            return Task.CompletedTask;
        },
        Quick,
        new AgentLog(_log),
        refused ?? new DeadLetters(_folder.At("refused"), new AgentLog(_log)));

    private long Length() => Directory.Exists(File) ? Directory.GetFiles(File, "*.batch").Length : 0;

    private IEnumerable<int> Items() => _sent.All.SelectMany(s => s.Split(':')[1].Split(',')).Select(n => int.Parse(n, System.Globalization.CultureInfo.InvariantCulture));
}
