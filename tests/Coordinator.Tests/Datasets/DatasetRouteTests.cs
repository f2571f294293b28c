using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Datasets;
using Hearth.Data;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Datasets;

[Collection(SharedPostgres.Name)]
public sealed class DatasetRouteTests(DataService data) : IClassFixture<DataService>
{
    private const string Lines = "{\"text\": \"the first\"}\n{\"text\": \"the second\"}\n";

    [Fact]
    public async Task A_folder_becomes_a_dataset_that_a_worker_can_fetch()
    {
        string folder = Directory.CreateTempSubdirectory("hearth-source-").FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "a.txt"), "the first");
        await File.WriteAllTextAsync(Path.Combine(folder, "b.txt"), "the second");
        try
        {
            var made = await ReadAsync<DatasetView>(await ImportAsync("folder", folder));
            var again = await ReadAsync<DatasetView>(await ImportAsync("folder", folder));

            Assert.Equal(("folder", "text", "mine", 2), (made.Name, made.Kind, made.License, made.Files));
            Assert.Equal(made.Id, again.Id);
            var file = Assert.Single(await Stores().Datasets.FilesAsync(made.Id, default));
            using var http = data.Service.Client(null);
            Assert.Equal(
                "{\"name\":\"a.txt\",\"text\":\"the first\"}\n{\"name\":\"b.txt\",\"text\":\"the second\"}\n",
                await http.GetStringAsync(new Uri(file.Url, UriKind.Relative)));
            Assert.Equal(("dataset.jsonl", made.Bytes), (file.Name, file.Bytes));

            await File.WriteAllTextAsync(Path.Combine(folder, "b.txt"), "the third");
            using var other = await ImportAsync("folder", folder);
            Assert.Equal(HttpStatusCode.Conflict, other.StatusCode);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_wrong_import_names_every_field()
    {
        using var missing = await data.Service.Http.PostAsJsonAsync("/api/v1/datasets/import", new ImportDataset("a name", [], " "), Json.Wire);
        using var nowhere = await ImportAsync("nowhere", "/no/such/folder");

        Assert.Equal(["name", "license", "paths"], await FieldsAsync(missing));
        Assert.Equal(["paths[0]"], await FieldsAsync(nowhere));
    }

    [Fact]
    public async Task An_upload_is_listed_and_removed_once_no_live_run_uses_it()
    {
        var made = await ReadAsync<DatasetView>(await UploadAsync("uploaded", Lines));
        using var attempt = await data.PlaceAsync("uploaded");

        using var refused = await data.Service.Http.DeleteAsync(new Uri($"/api/v1/datasets/{made.Id}", UriKind.Relative));
        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        Assert.Contains("a-run", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Contains(await data.Service.Http.GetFromJsonAsync<List<DatasetView>>("/api/v1/datasets", Json.Wire) ?? [], d => d.Id == made.Id);

        await data.ExecuteAsync("update runs set state = 'succeeded' where spec->'data'->>'dataset' = 'uploaded'");
        using var gone = await data.Service.Http.DeleteAsync(new Uri($"/api/v1/datasets/{made.Id}", UriKind.Relative));
        using var unknown = await data.Service.Http.DeleteAsync(new Uri($"/api/v1/datasets/{made.Id}", UriKind.Relative));
        Assert.Equal((HttpStatusCode.NoContent, HttpStatusCode.NotFound), (gone.StatusCode, unknown.StatusCode));
    }

    [Fact]
    public async Task An_upload_that_is_no_dataset_is_refused_in_words()
    {
        using var response = await UploadAsync("broken", "{\"text\": \"a\"}\nno json\n");

        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        Assert.Contains("1 not_json; the first is broken.jsonl:2", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_prepared_dataset_is_published_once_under_its_key_and_then_offered()
    {
        var made = await ReadAsync<DatasetView>(await UploadAsync("to-prepare", Lines));
        using var attempt = await data.PlaceAsync("to-prepare");
        var stores = Stores();
        var dataset = (await stores.Datasets.FindAsync("to-prepare", default))!;
        string key = DatasetContent.PreparedKey(dataset.ContentSha256, 300, 0.2);
        (string, string)[] files = [("dataset.json", """{"train_tokens": 10, "validation_tokens": 2}"""), ("train.qpk", "tokens")];
        var commit = new PreparedCommit(attempt.Lease, key, [.. files.Select(f => PlacedAttempt.File(f.Item1, f.Item2))]);
        var spec = JsonSerializer.Deserialize<RunSpec>(await data.ScalarAsync<string>("select spec::text from runs where id = $1", attempt.RunId), Json.Wire)!;
        async Task<HttpStatusCode> PublishAsync(PreparedCommit body)
        {
            using var response = await attempt.PostAsync("prepared", body);
            return response.StatusCode;
        }

        Assert.Equal(HttpStatusCode.UnprocessableEntity, await PublishAsync(commit));
        await attempt.UploadAsync(files);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, await PublishAsync(commit with { Key = new string('0', 32) }));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, await PublishAsync(commit with { Files = [commit.Files[1]] }));
        Assert.Equal(HttpStatusCode.Conflict, await PublishAsync(commit with { Lease = attempt.Stale }));
        Assert.Null(await stores.Prepared.FindForAsync(spec, null, dataset, default));
        Assert.Equal(HttpStatusCode.NoContent, await PublishAsync(commit));
        Assert.Equal(HttpStatusCode.NoContent, await PublishAsync(commit));

        var offered = await stores.Prepared.FindForAsync(spec, null, dataset, default);
        Assert.Equal(commit.Files.Select(f => (f.Name, f.Sha256, f.Bytes)), offered!.Select(f => (f.Name, f.Sha256, f.Bytes)));
        var view = await data.Service.Http.GetFromJsonAsync<DatasetView>($"/api/v1/datasets/{made.Id}", Json.Wire);
        Assert.Equal(new Dictionary<string, long> { ["300"] = 12 }, view!.Tokens);
    }

    private (DatasetStore Datasets, PreparedStore Prepared) Stores()
    {
        var objects = new LocalObjectStore(Path.Combine(data.DataPath, "store"), data.Signer());
        var blobs = new BlobLedger(data.Database, objects, new BlobUploads(data.Database, objects, new StoreSettings()));
        var datasets = new DatasetStore(data.Database, blobs, Imports.Rules(Path.Combine(data.DataPath, "imports")));
        return (datasets, new PreparedStore(data.Database, objects, blobs, datasets));
    }

    private Task<HttpResponseMessage> ImportAsync(string name, string path) =>
        data.Service.Http.PostAsJsonAsync("/api/v1/datasets/import", new ImportDataset(name, [path], "mine"), Json.Wire);

    private Task<HttpResponseMessage> UploadAsync(string name, string lines) =>
        data.Service.Http.PostAsync(new Uri($"/api/v1/datasets?name={name}&license=mine&kind=jsonl", UriKind.Relative), new ByteArrayContent(Encoding.UTF8.GetBytes(lines)));

    private static async Task<T> ReadAsync<T>(HttpResponseMessage response)
    {
        using (response)
        {
            Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
            return (await response.Content.ReadFromJsonAsync<T>(Json.Wire))!;
        }
    }

    private static async Task<IEnumerable<string?>> FieldsAsync(HttpResponseMessage response)
    {
        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        var problem = await response.Content.ReadFromJsonAsync<JsonElement>();
        return [.. problem.GetProperty("errors").EnumerateArray().Select(e => e.GetProperty("field").GetString())];
    }
}
