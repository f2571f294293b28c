using System.Net;
using System.Net.Http.Json;
using System.Text;
using Hearth.Api;
using Hearth.Tests.Support;
using Xunit;
using static Hearth.Tests.Datasets.Imports;

namespace Hearth.Tests.Datasets;

/// <summary>Imports as jobs, and uploads in parts, through the routes.</summary>
[Collection(SharedPostgres.Name)]
public sealed class Importing(PostgresServer postgres, DataService data) : IClassFixture<DataService>
{
    [Fact]
    public async Task An_upload_goes_on_where_it_stopped_and_becomes_a_dataset()
    {
        byte[] file = Gzip(Utf8("{\"text\": \"one\"}\n{\"text\": \"two\"}\nno json\n{\"text\": \"one\"}\n"));
        var upload = await BeginAsync("rows.jsonl.gz", file.Length);

        using var first = await PutAsync(upload.Id, 0, file[..10]);
        using var again = await PutAsync(upload.Id, 0, file[..10]);
        using var ahead = await PutAsync(upload.Id, 20, file[20..]);
        using var other = await PutAsync(upload.Id, 0, file[10..20]);
        using var early = await StartAsync(new StartImport("up", "mine", UploadId: upload.Id));
        using var head = await data.Service.Http.SendAsync(new HttpRequestMessage(HttpMethod.Head, $"/api/v1/datasets/uploads/{upload.Id}"));
        using var rest = await PutAsync(upload.Id, 10, file[10..]);
        using var over = await PutAsync(upload.Id, file.Length, [1]);

        Assert.Equal([200, 200, 409, 409, 422, 200, 200, 409], new[] { first, again, ahead, other, early, head, rest, over }.Select(r => (int)r.StatusCode));
        Assert.Equal("10", head.Headers.GetValues("Upload-Offset").Single());
        Assert.Equal($"The part begins at 20, and the upload has 10 of {file.Length} bytes. Go on from there.", await ahead.DetailAsync());
        Assert.Contains($"has 10 of {file.Length} bytes", await early.DetailAsync(), StringComparison.Ordinal);

        var done = await ImportAsync(data.Service, new StartImport("up", "mine", UploadId: upload.Id));
        Assert.Equal((ImportState.Done, "over", 2L, 1L, 1L, (long?)file.Length, "rows.jsonl.gz"), (done.State, done.Stage, done.Documents, done.BadRows, done.Duplicates, done.BytesTotal, done.Source));
        var dataset = (await data.Service.Http.GetFromJsonAsync<DatasetView>($"/api/v1/datasets/{done.DatasetId}", Json.Wire))!;
        Assert.Equal(("up", "jsonl", 2, 1), (dataset.Name, dataset.Kind, dataset.Documents, dataset.Manifest!.BadRows["not_json"]));
        Assert.Equal(0, await data.ScalarAsync<long>("select count(*) from dataset_uploads where id = $1", upload.Id));
    }

    [Fact]
    public async Task An_archive_that_came_in_several_parts_is_read_across_them()
    {
        byte[] tar = Tar(TarFile("a.txt", Utf8("one text")), TarFile("empty.txt", []), TarFile("b.jsonl", Utf8("{\"text\": \"a row\"}\n")));
        var upload = await BeginAsync("files.tar", tar.Length);
        for (int at = 0; at < tar.Length; at += 700)
        {
            (await PutAsync(upload.Id, at, tar[at..Math.Min(tar.Length, at + 700)])).EnsureSuccessStatusCode();
        }

        var done = await ImportAsync(data.Service, new StartImport("parts", "mine", UploadId: upload.Id));

        Assert.Equal((ImportState.Done, 2L, 1L), (done.State, done.Documents, done.BadRows));
    }

    [Fact]
    public async Task An_import_that_cannot_be_names_every_field_before_anything_is_read()
    {
        using var nothing = await StartAsync(new StartImport("a name", " "));
        using var two = await StartAsync(new StartImport("d", "mine", ["/tmp"], "http://example.org/"));
        using var url = await StartAsync(new StartImport("d", "mine", Url: "ftp://example.org/"));
        using var upload = await StartAsync(new StartImport("d", "mine", UploadId: Guid.NewGuid()));
        using var path = await StartAsync(new StartImport("d", "mine", ["/no/such/folder"]));
        using var made = await data.Service.PostAsync("/api/v1/tokens", new CreateToken("importer", "submit", null));
        using var submitter = data.Service.Client((await made.Content.ReadFromJsonAsync<TokenView>(Json.Wire))!.Secret);
        using var foreign = await submitter.PostAsJsonAsync("/api/v1/datasets/imports", new StartImport("d", "mine", ["/etc"]), Json.Wire);

        Assert.Equal(["name", "license", "paths, url, upload_id"], (await nothing.ErrorsAsync()).Select(e => e.Field));
        Assert.Equal("paths, url, upload_id is 2 of three. Allowed: exactly one of them.", await two.DetailAsync());
        Assert.Equal("url is ftp://example.org/, no http or https address. Allowed: http://HOST/… or https://HOST/….", await url.DetailAsync());
        Assert.Equal(["upload_id"], (await upload.ErrorsAsync()).Select(e => e.Field));
        Assert.Equal(["paths[0]"], (await path.ErrorsAsync()).Select(e => e.Field));
        Assert.Contains("for admins alone", await foreign.DetailAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_import_that_fails_says_why_and_the_name_of_another_content_is_not_taken()
    {
        var refused = await ImportAsync(data.Service, new StartImport("local", "mine", Url: $"{data.Service.Address}readyz"));
        var first = await ImportAsync(data.Service, new StartImport("twice", "mine", UploadId: await UploadAsync("a.jsonl", "{\"text\": \"1\"}\n{\"text\": \"2\"}\n")));
        var same = await ImportAsync(data.Service, new StartImport("twice", "mine", UploadId: await UploadAsync("a.jsonl", "{\"text\": \"1\"}\n{\"text\": \"2\"}\n")));
        var other = await ImportAsync(data.Service, new StartImport("twice", "mine", UploadId: await UploadAsync("a.jsonl", "{\"text\": \"1\"}\n{\"text\": \"3\"}\n")));

        Assert.Equal((ImportState.Failed, "127.0.0.1 may not be fetched from. Allowed: addresses of the public internet (HEARTH_IMPORT_PRIVATE_ADDRESSES=on allows others)."), (refused.State, refused.Error!.Message));
        var elsewhere = await ImportAsync(data.Service, new StartImport("thrice", "mine", UploadId: await UploadAsync("b.jsonl", "{\"text\": \"1\"}\n\n{\"text\": \"2\"}\n")));

        Assert.Equal((ImportState.Done, first.DatasetId), (same.State, same.DatasetId));
        Assert.NotEqual(first.DatasetId, elsewhere.DatasetId);
        Assert.Equal(1, await data.ScalarAsync<long>("select count(distinct sha256) from datasets where name in ('twice', 'thrice')"));
        Assert.Equal((ImportState.Failed, "name"), (other.State, other.Error!.Field));
        Assert.Equal(1, await data.ScalarAsync<long>("select count(*) from datasets where name = 'twice'"));
    }

    [Fact]
    public async Task One_that_is_cancelled_ends_and_leaves_no_dataset()
    {
        var upload = await UploadAsync("large.jsonl", string.Concat(Enumerable.Range(0, 300_000).Select(i => $"{{\"text\": \"row {i}\"}}\n")));
        using var response = await StartAsync(new StartImport("never", "mine", UploadId: upload));
        var import = (await response.Content.ReadFromJsonAsync<ImportView>(Json.Wire))!;

        using var cancel = await data.Service.PostAsync($"/api/v1/datasets/imports/{import.Id}/cancel");
        var over = await OverAsync(data.Service, import.Id);
        using var unknown = await data.Service.PostAsync($"/api/v1/datasets/imports/{Guid.NewGuid()}/cancel");

        Assert.Equal((HttpStatusCode.OK, ImportState.Cancelled, HttpStatusCode.NotFound), (cancel.StatusCode, over.State, unknown.StatusCode));
        Assert.Equal(0, await data.ScalarAsync<long>("select count(*) from datasets where name = 'never'"));
    }

    [Fact]
    public async Task A_dataset_is_looked_through_page_by_page()
    {
        string chat = "{\"messages\": [{\"role\": \"user\", \"content\": \"A?\"}, {\"role\": \"assistant\", \"content\": \"B.\"}], \"decision_label\": 1}\n";
        var texts = await ImportAsync(data.Service, new StartImport("texts", "mine", UploadId: await UploadAsync("a.jsonl", string.Concat(Enumerable.Range(0, 5).Select(i => $"{{\"text\": \"{new string((char)('a' + i), 1500 * i + 1)}\"}}\n")))));
        var turns = await ImportAsync(data.Service, new StartImport("turns", "mine", UploadId: await UploadAsync("a.jsonl", chat + chat.Replace("A?", "C?", StringComparison.Ordinal))));
        async Task<DatasetRows> ReadAsync(Guid id, string query) => (await data.Service.Http.GetFromJsonAsync<DatasetRows>($"/api/v1/datasets/{id}/rows?{query}", Json.Wire))!;

        var first = await ReadAsync(texts.DatasetId!.Value, "limit=3");
        var last = await ReadAsync(texts.DatasetId!.Value, $"limit=3&cursor={first.Next}");
        var talk = await ReadAsync(turns.DatasetId!.Value, "");
        using var within = await data.Service.Http.GetAsync(new Uri($"/api/v1/datasets/{texts.DatasetId}/rows?cursor=3", UriKind.Relative));
        using var beyond = await data.Service.Http.GetAsync(new Uri($"/api/v1/datasets/{texts.DatasetId}/rows?limit=101", UriKind.Relative));

        Assert.Equal(["a", "b", "c", "d", "e"], first.Rows.Concat(last.Rows).Select(r => r.Text![..1]));
        Assert.Equal([1, 1501, 3001, 4501, 6001], first.Rows.Concat(last.Rows).Select(r => r.Characters));
        Assert.Equal([false, false, false, true, true], first.Rows.Concat(last.Rows).Select(r => r.IsCut));
        Assert.Null(last.Next);
        Assert.Equal(("a.jsonl:1", 1, "user A?, assistant B."), (talk.Rows[0].Name, talk.Rows[0].DecisionLabel, string.Join(", ", talk.Rows[0].Turns!.Select(t => $"{t.Role} {t.Content}"))));
        Assert.Equal((HttpStatusCode.UnprocessableEntity, HttpStatusCode.UnprocessableEntity), (within.StatusCode, beyond.StatusCode));
    }

    [Fact]
    public async Task An_import_whose_coordinator_is_killed_is_begun_anew_by_the_next()
    {
        string database = await postgres.CreateDatabaseAsync();
        Guid import;
        string token;
        await using (var first = await CoordinatorProcess.StartAsync(database))
        {
            token = first.AdminToken;
            var upload = await UploadAsync(first, "large.jsonl", string.Concat(Enumerable.Range(0, 400_000).Select(i => $"{{\"text\": \"row {i}\"}}\n")));
            using var response = await first.PostAsync("/api/v1/datasets/imports", new StartImport("large", "mine", UploadId: upload));
            import = (await response.Content.ReadFromJsonAsync<ImportView>(Json.Wire))!.Id;
            await Eventually.TrueAsync(async () => (await FindAsync(first, import)).Stage is "opening" or "reading", "the import is at work", seconds: 60);
            first.Kill();
        }

        await using var next = await CoordinatorProcess.StartAsync(database, token);
        var over = await OverAsync(next, import);

        Assert.Equal((ImportState.Done, 400_000L), (over.State, over.Documents));
        Assert.Single((await next.Http.GetFromJsonAsync<DatasetView[]>("/api/v1/datasets", Json.Wire))!);
    }

    private async Task<UploadView> BeginAsync(string name, long bytes)
    {
        using var response = await data.Service.PostAsync("/api/v1/datasets/uploads", new StartUpload(name, bytes));
        Assert.True(response.StatusCode == HttpStatusCode.Created, await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync<UploadView>(Json.Wire))!;
    }

    private Task<HttpResponseMessage> PutAsync(Guid upload, long offset, byte[] part) =>
        data.Service.Http.PutAsync(new Uri($"/api/v1/datasets/uploads/{upload}?offset={offset}", UriKind.Relative), new ByteArrayContent(part));

    private Task<Guid> UploadAsync(string name, string content) => UploadAsync(data.Service, name, content);

    private static async Task<Guid> UploadAsync(CoordinatorProcess service, string name, string content)
    {
        using var begun = await service.PostAsync("/api/v1/datasets/uploads", new StartUpload(name));
        var upload = (await begun.Content.ReadFromJsonAsync<UploadView>(Json.Wire))!;
        using var sent = await service.Http.PutAsync(new Uri($"/api/v1/datasets/uploads/{upload.Id}?offset=0", UriKind.Relative), new ByteArrayContent(Encoding.UTF8.GetBytes(content)));
        Assert.True(sent.IsSuccessStatusCode, await sent.Content.ReadAsStringAsync());
        return upload.Id;
    }

    private Task<HttpResponseMessage> StartAsync(StartImport request) => data.Service.PostAsync("/api/v1/datasets/imports", request);

    /// <summary>Starts an import and waits for its end.</summary>
    private static async Task<ImportView> ImportAsync(CoordinatorProcess service, StartImport request)
    {
        using var response = await service.PostAsync("/api/v1/datasets/imports", request);
        Assert.True(response.StatusCode == HttpStatusCode.Accepted, await response.Content.ReadAsStringAsync());
        return await OverAsync(service, (await response.Content.ReadFromJsonAsync<ImportView>(Json.Wire))!.Id);
    }

    private static Task<ImportView> OverAsync(CoordinatorProcess service, Guid import) =>
        Eventually.GetAsync(() => FindAsync(service, import), i => i.State is not (ImportState.Queued or ImportState.Running), "the import is over", seconds: 180);

    private static async Task<ImportView> FindAsync(CoordinatorProcess service, Guid import) => (await service.Http.GetFromJsonAsync<ImportView>($"/api/v1/datasets/imports/{import}", Json.Wire))!;
}
