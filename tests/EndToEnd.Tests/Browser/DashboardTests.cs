using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Hearth.Api;
using Hearth.Cli.Pool;
using Hearth.Runs;
using Hearth.Tests.Support;
using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Hearth.Tests.Browser;

/// <summary>The dashboard in a real browser on a real pool: everything by what a person sees and presses.</summary>
[Collection(PoolCollection.Name)]
public sealed class DashboardTests(PoolFixture fixture) : IAsyncLifetime
{
    private static readonly string[] Arguments =
        ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

    private const float LimitMilliseconds = 60_000;
    private readonly List<string> _errors = [];
    private IPlaywright _playwright = null!;
    private IBrowser _browser = null!;
    private IPage _page = null!;

    public async Task InitializeAsync()
    {
        SetDefaultExpectTimeout(LimitMilliseconds);
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new() { ExecutablePath = "/usr/bin/chromium", Headless = true, Args = Arguments });
        var context = await _browser.NewContextAsync(new() { BaseURL = fixture.Pool.Address.ToString(), ViewportSize = new() { Width = 1440, Height = 900 }, ReducedMotion = ReducedMotion.Reduce });
        context.SetDefaultTimeout(LimitMilliseconds);
        _page = await context.NewPageAsync();
        _page.PageError += (_, error) => _errors.Add(error);
        await _page.GotoAsync("/runs");
        await _page.GetByLabel("Token", new() { Exact = true }).FillAsync(fixture.Pool.AdminToken);
        await _page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await Expect(_page).ToHaveURLAsync(new Regex("^[^?]*/runs$"));
    }

    public async Task DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();

        // A test that failed midway must not leave the one device taken from the next.
        await fixture.CancelLiveRunsAsync();
        Assert.Empty(_errors);
    }

    [Fact]
    public async Task A_run_is_submitted_by_the_form_its_loss_chart_grows_and_it_is_cancelled()
    {
        await _page.GotoAsync("/runs/new?preset=qovaryx-nano");
        await FillAsync("name", "by-the-form");
        await ChooseDatasetAsync();
        await FillAsync("data-seq_len", "64");
        await FillAsync("train-steps", "1000000");
        await FillAsync("train-batch_tokens", "512");
        await Expect(_page.GetByText("to fix")).ToHaveCountAsync(0);
        await _page.GetByRole(AriaRole.Button, new() { NameRegex = new("Submit run") }).ClickAsync();
        await Expect(_page).ToHaveURLAsync(new Regex("/runs/[^/]+/overview"));

        // The points that the chart draws, as the table that "d" puts in its place.
        await Expect(_page.GetByRole(AriaRole.Img, new() { NameRegex = new("^Loss") })).ToBeVisibleAsync();
        await _page.Keyboard.PressAsync("d");
        var steps = _page.GetByLabel("Loss, data").Locator("tbody tr td:first-child");
        await Eventually.TrueAsync("the loss has some points", async () => await steps.CountAsync() >= 3);
        long first = await LastStepAsync(steps);
        int points = await steps.CountAsync();
        await Eventually.TrueAsync("the chart has grown", async () => await LastStepAsync(steps) > first && await steps.CountAsync() >= points);

        await _page.GetByRole(AriaRole.Button, new() { Name = "Cancel…" }).ClickAsync();
        await _page.GetByRole(AriaRole.Button, new() { Name = "Cancel run" }).ClickAsync();
        await Expect(_page.Locator(".pill").Filter(new() { HasText = "Cancelled" }).First).ToBeVisibleAsync();
        var run = (await fixture.Api.GetAsync<Page<RunSummary>>("runs?q=by-the-form", CancellationToken.None)).Items.Single();
        Assert.Equal(RunState.Cancelled, run.State);
    }

    [Fact]
    public async Task A_wrong_field_shows_the_apis_sentence_and_nothing_is_submitted()
    {
        long before = (await fixture.Api.GetAsync<Page<RunSummary>>("runs", CancellationToken.None)).Total;
        await _page.GotoAsync("/runs/new?preset=qovaryx-nano");
        await ChooseDatasetAsync();

        await FillAsync("data-seq_len", "512");

        await Expect(_page.GetByRole(AriaRole.Group, new() { Name = "Data" }).GetByText("512 is over Qovaryx nano's longest, 256. Allowed: 8 to 256.")).ToBeVisibleAsync();
        await _page.GetByRole(AriaRole.Button, new() { NameRegex = new("Submit run") }).ClickAsync();
        await Expect(_page).ToHaveURLAsync(new Regex("/runs/new"));
        Assert.Equal(before, (await fixture.Api.GetAsync<Page<RunSummary>>("runs", CancellationToken.None)).Total);
    }

    [Fact]
    public async Task A_familys_own_list_is_typed_refused_in_the_apis_words_put_right_and_trained()
    {
        await _page.GotoAsync("/runs/new?preset=hybrid-nano");
        await FillAsync("name", "two-attention-layers");
        await ChooseDatasetAsync();
        await FillAsync("data-seq_len", "64");
        await FillAsync("train-batch_tokens", "512");
        await FillAsync("train-steps", "1000000");
        var model = _page.GetByRole(AriaRole.Group, new() { Name = "Model" });
        await model.GetByRole(AriaRole.Button, new() { NameRegex = new("more settings") }).ClickAsync();

        await FillAsync("model-attn_layers", "1, 9");
        await Expect(model.GetByText("model.attn_layers is 1, 9. Allowed: 0 to 4, each once.")).ToBeVisibleAsync();
        await FillAsync("model-attn_layers", "1, 4");
        await Expect(_page.GetByText("to fix")).ToHaveCountAsync(0);
        await _page.GetByRole(AriaRole.Button, new() { NameRegex = new("Submit run") }).ClickAsync();
        await Expect(_page).ToHaveURLAsync(new Regex("/runs/[^/]+/overview"));

        var run = (await fixture.Api.GetAsync<Page<RunSummary>>("runs?q=two-attention-layers", CancellationToken.None)).Items.Single();
        var trained = await PoolFixture.TrainedAsync(new RunWatch(fixture.Api, run.Id), 1);
        Assert.Equal([1, 4], trained.Spec.GetProperty("model").GetProperty("attn_layers").EnumerateArray().Select(v => v.GetInt32()));
        Assert.Equal("muon", trained.Spec.GetProperty("optimizer").GetProperty("name").GetString());
        await fixture.ActAsync(trained, "cancel");
    }

    [Fact]
    public async Task Another_family_brings_its_recipe_and_leaves_what_was_typed()
    {
        await _page.GotoAsync("/runs/new?preset=qovaryx-nano");
        await ChooseDatasetAsync();
        await FillAsync("train-steps", "77");

        await _page.Locator("#field-model-family").ClickAsync();
        await _page.GetByRole(AriaRole.Option, new() { Name = "VUAF", Exact = true }).ClickAsync();

        await Expect(_page).ToHaveURLAsync(new Regex("preset=vuaf-nano"));
        await Expect(_page.Locator("#field-name")).ToHaveValueAsync("vuaf-nano");
        await Expect(_page.Locator("#field-model-entropy_reg_coef")).ToHaveValueAsync("0.05");
        await Expect(_page.Locator("#field-optimizer-name")).ToHaveValueAsync("muon");
        await Expect(_page.Locator("#field-train-steps")).ToHaveValueAsync("77");
        await Expect(_page.Locator("#field-data-dataset")).ToHaveValueAsync(PoolFixture.Dataset);
    }

    [Fact]
    public async Task Two_checkpoints_go_on_with_one_text_and_a_token_tells_what_else_it_might_have_been()
    {
        var done = await PoolFixture.SucceededAsync(await fixture.SubmitAsync(PoolFixture.Spec("to-be-asked", steps: 40)));
        var kept = done.Checkpoints.Where(c => c.Status == "kept").OrderBy(c => c.Step).ToList();
        await _page.GotoAsync($"/playground?a={kept[0].Id}&b={kept[^1].Id}&mode=complete");
        var panes = _page.Locator(".play-pane");
        await Expect(panes).ToHaveCountAsync(2);
        var temperature = _page.GetByLabel("Temperature");
        await temperature.FillAsync("11");
        await AskAsync("public ");
        await Expect(_page.GetByRole(AriaRole.Group, new() { Name = "Sampling" }).GetByText("temperature is 11. Allowed: 0 to 10.")).ToBeVisibleAsync();

        await temperature.FillAsync("0");
        await _page.GetByLabel("Most tokens").FillAsync("12");
        await AskAsync("public ");

        for (int pane = 0; pane < 2; pane++)
        {
            await Expect(panes.Nth(pane).GetByText("12 tokens")).ToBeVisibleAsync();
        }

        await panes.Nth(0).Locator("button.token").First.ClickAsync();
        var told = _page.GetByRole(AriaRole.Group, new() { Name = "Picked token" });
        await Expect(told.Locator(".chance")).ToHaveCountAsync(5);
        await Expect(told.Locator(".chance-bar.strong")).ToHaveCountAsync(1);
    }

    [Fact]
    public async Task The_pool_page_shows_the_worker_and_a_line_to_join_another()
    {
        await _page.GotoAsync("/pool");
        var card = _page.GetByRole(AriaRole.Article, new() { Name = "local/0" });

        await Expect(card).ToBeVisibleAsync();
        await Expect(card).ToContainTextAsync(fixture.Pool.Worker.AgentVersion);
        await _page.GetByRole(AriaRole.Button, new() { Name = "Join a machine" }).First.ClickAsync();
        await Expect(_page.GetByRole(AriaRole.Dialog)).ToContainTextAsync("hearth");
    }

    [Fact]
    public async Task A_run_is_put_on_a_schedule_where_a_wrong_time_is_refused_beside_its_field()
    {
        var pattern = await fixture.Api.PostAsync<RunSummary>("runs", new SubmitRun(JsonSerializer.SerializeToElement(PoolFixture.Spec("pattern"), Json.Wire)), CancellationToken.None, key: "pattern");
        await _page.GotoAsync($"/runs/{pattern.Id}/overview");
        await _page.GetByRole(AriaRole.Button, new() { Name = "Schedule…" }).ClickAsync();
        var dialog = _page.GetByRole(AriaRole.Dialog, new() { Name = "New schedule" });
        await dialog.GetByLabel("Name").FillAsync("again");
        var when = dialog.GetByLabel("When (cron)");
        await when.FillAsync("30 25 * * *");
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Make the schedule" }).ClickAsync();
        await Expect(dialog.GetByText("cron is 30 25 * * *:")).ToBeVisibleAsync();

        await dialog.GetByRole(AriaRole.Button, new() { Name = "nights of workdays" }).ClickAsync();
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Make the schedule" }).ClickAsync();

        await Expect(dialog).ToBeHiddenAsync();
        await Expect(_page.GetByRole(AriaRole.Row).Filter(new() { HasText = "again" })).ToContainTextAsync("30 2 * * 1-5");
        var made = Assert.Single(await fixture.Api.GetAsync<IReadOnlyList<ScheduleView>>("schedules", CancellationToken.None), s => s.Name == "again");
        Assert.Equal("pattern", made.Spec.GetProperty("name").GetString());
        await fixture.Api.DeleteAsync("schedules/again", CancellationToken.None);
    }

    [Fact]
    public async Task A_sweep_is_begun_in_its_editor_that_says_its_size_and_its_page_says_what_was_decided()
    {
        await _page.GotoAsync("/sweeps/new");
        await Expect(_page.GetByRole(AriaRole.Status).Filter(new() { HasText = "27 trials, about" })).ToBeVisibleAsync();

        await _page.GetByRole(AriaRole.Button, new() { Name = "Begin sweep" }).ClickAsync();

        await Expect(_page).ToHaveURLAsync(new Regex("/sweeps/[0-9a-f-]{36}$"));
        await Expect(_page.GetByLabel("Decisions").GetByText(new Regex("^Trial 0 starts, to step .*at random[.]$"))).ToBeVisibleAsync();
        await Expect(_page.GetByRole(AriaRole.Img, new() { Name = "Settings and results of 4 trials; the table below has the same" })).ToBeVisibleAsync();

        await _page.GetByRole(AriaRole.Button, new() { Name = "Cancel sweep…" }).ClickAsync();
        await _page.GetByRole(AriaRole.Button, new() { Name = "Cancel sweep", Exact = true }).ClickAsync();
        await Expect(_page.GetByLabel("Decisions").GetByText(new Regex("^\\S+ cancelled the sweep[.]$"))).ToBeVisibleAsync();
    }

    [Fact]
    public async Task Two_runs_are_selected_and_compared_by_curve_best_and_difference()
    {
        var spec = PoolFixture.Spec("compared-one", steps: 20) with { Eval = new EvalSpec { EverySteps = 10, Rows = 4 } };
        var one = await PoolFixture.SucceededAsync(await fixture.SubmitAsync(spec));
        var two = await PoolFixture.SucceededAsync(await fixture.SubmitAsync(spec with { Name = "compared-two", Optimizer = spec.Optimizer with { Lr = 1e-5 } }));
        await _page.GotoAsync("/runs?q=compared-");
        await _page.GetByRole(AriaRole.Checkbox, new() { NameRegex = new("compared-one") }).CheckAsync();
        await _page.GetByRole(AriaRole.Checkbox, new() { NameRegex = new("compared-two") }).CheckAsync();
        await _page.GetByRole(AriaRole.Link, new() { Name = "Compare 2" }).ClickAsync();

        await Expect(_page.GetByRole(AriaRole.Img, new() { NameRegex = new("^Validation loss") })).ToBeVisibleAsync();
        var difference = _page.GetByRole(AriaRole.Row).Filter(new() { HasText = "optimizer.lr" });
        await Expect(difference).ToContainTextAsync("1e-5");
        var best = _page.GetByRole(AriaRole.Row).Filter(new() { HasText = "compared-one" });
        await Expect(best).ToContainTextAsync(one.Summary.ValidationBitsPerByte!.Value.ToString("0.000", CultureInfo.InvariantCulture));
        await Expect(best).ToContainTextAsync("checkpoint there");

        await _page.GetByRole(AriaRole.Radiogroup, new() { Name = "Axis" }).GetByText("Energy").ClickAsync();
        await Expect(_page.GetByText(new Regex("^The energy of .* is unknown, since the device does not tell its power[.]$"))).ToBeVisibleAsync();
        await Expect(_page).ToHaveURLAsync(new Regex($"/compare[?]runs=r-({one.Summary.Number}(,|%2C)r-{two.Summary.Number}|{two.Summary.Number}(,|%2C)r-{one.Summary.Number})&axis=energy"));
    }

    [Fact]
    public async Task A_form_begins_with_a_recipe_and_keeps_what_was_typed()
    {
        await _page.GotoAsync("/runs/new?preset=qovaryx-nano");
        await FillAsync("train-steps", "77");
        await _page.GetByRole(AriaRole.Button, new() { Name = "Recipes" }).ClickAsync();
        await _page.GetByRole(AriaRole.Menuitem, new() { NameRegex = new("^vuaf-micro VUAF") }).ClickAsync();

        await Expect(_page).ToHaveURLAsync(new Regex("recipe=vuaf-micro$"));
        await Expect(_page.Locator("#field-name")).ToHaveValueAsync("vuaf-micro");
        await Expect(_page.Locator("#field-train-steps")).ToHaveValueAsync("77");
        await Expect(_page.Locator("#field-data-dataset")).ToHaveValueAsync(PoolFixture.Dataset);
    }

    private async Task AskAsync(string beginning)
    {
        await _page.GetByRole(AriaRole.Textbox, new() { Name = "Beginning of a text" }).FillAsync(beginning);
        await _page.Keyboard.PressAsync("Enter");
    }

    private async Task ChooseDatasetAsync()
    {
        await _page.Locator("#field-data-dataset").ClickAsync();
        await _page.GetByRole(AriaRole.Option, new() { NameRegex = new(PoolFixture.Dataset) }).ClickAsync();
    }

    private Task FillAsync(string field, string value) => _page.Locator($"#field-{field}").FillAsync(value);

    private static async Task<long> LastStepAsync(ILocator steps) => long.Parse(await steps.Last.InnerTextAsync(), CultureInfo.InvariantCulture);
}
