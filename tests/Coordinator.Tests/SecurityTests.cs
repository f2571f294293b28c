using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Hearth.Api;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests;

[Collection(SharedPostgres.Name)]
public sealed class SecurityTests(PostgresServer postgres) : IAsyncLifetime
{
    private string _database = "";
    private CoordinatorProcess _service = null!;

    public async Task InitializeAsync() => _service = await CoordinatorProcess.StartAsync(_database = await postgres.CreateDatabaseAsync());

    public async Task DisposeAsync() => await _service.DisposeAsync();

    [Fact]
    public async Task The_first_start_shows_an_admin_token_once_and_the_second_none()
    {
        var me = await _service.Http.GetFromJsonAsync<MeView>("/api/v1/me", Json.Wire);
        await using var second = await CoordinatorProcess.StartAsync(_database, _service.AdminToken);

        Assert.Equal(("admin", "admin"), (me!.Name, me.Role));
        Assert.Single(_service.Output, l => l.Contains("hth_", StringComparison.Ordinal));
        Assert.DoesNotContain(second.Output, l => l.Contains("hth_", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.OK, (await second.Http.GetAsync(new Uri("/api/v1/me", UriKind.Relative))).StatusCode);
    }

    [Fact]
    public async Task A_token_file_takes_the_first_token_and_is_its_owners_alone()
    {
        string file = Path.Combine(Path.GetTempPath(), $"hearth-token-{Guid.NewGuid():N}");
        try
        {
            await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync(), "not read", ("HEARTH_ADMIN_TOKEN_FILE", file));
            using var http = service.Client((await File.ReadAllTextAsync(file)).Trim());

            Assert.Equal("admin", (await http.GetFromJsonAsync<MeView>("/api/v1/me", Json.Wire))!.Role);
            Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(file) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
            Assert.DoesNotContain(service.Output, l => l.Contains("hth_", StringComparison.Ordinal));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData(null, "Sign in first, or send a token as Authorization: Bearer.")]
    [InlineData("hth_unknown", "The token is not known here, has expired or was revoked.")]
    public async Task No_token_and_a_wrong_one_are_answered_401_in_words(string? token, string words)
    {
        using var http = _service.Client(token);

        foreach (string path in new[] { "/api/v1/me", "/api/v1/events", "/api/v1/models" })
        {
            using var response = await http.GetAsync(new Uri(path, UriKind.Relative));
            Assert.Equal((HttpStatusCode.Unauthorized, words), (response.StatusCode, await DetailAsync(response)));
        }
    }

    [Fact]
    public async Task An_expired_and_a_revoked_token_are_answered_401()
    {
        var old = await CreateAsync("old", "view", 1);
        var gone = await CreateAsync("gone", "view", null);
        using var oldHttp = _service.Client(old.Secret);
        using var goneHttp = _service.Client(gone.Secret);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(oldHttp));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(goneHttp));

        await using var database = NpgsqlDataSource.Create(_database);
        await using var expire = database.CreateCommand("update tokens set expires_at = now() - interval '1 second' where name = 'old'");
        await expire.ExecuteNonQueryAsync();
        using var revoked = await _service.Http.DeleteAsync(new Uri($"/api/v1/tokens/{gone.Id}", UriKind.Relative));

        Assert.Equal(HttpStatusCode.NoContent, revoked.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(oldHttp));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(goneHttp));
    }

    [Fact]
    public async Task A_role_that_does_not_suffice_is_answered_403_and_the_last_admin_token_stays()
    {
        using var viewer = _service.Client((await CreateAsync("eye", "view", null)).Secret);

        using var refused = await viewer.GetAsync(new Uri("/api/v1/tokens", UriKind.Relative));
        var tokens = (await _service.Http.GetFromJsonAsync<TokenView[]>("/api/v1/tokens", Json.Wire))!;
        using var last = await _service.Http.DeleteAsync(new Uri($"/api/v1/tokens/{tokens.Single(t => t.Role == "admin").Id}", UriKind.Relative));

        Assert.Equal((HttpStatusCode.Forbidden, "The token eye has the role view, which does not allow this."), (refused.StatusCode, await DetailAsync(refused)));
        Assert.All(tokens, t => Assert.Null(t.Secret));
        Assert.Equal(HttpStatusCode.Conflict, last.StatusCode);
    }

    [Fact]
    public async Task A_wrong_token_request_names_every_field()
    {
        using var response = await _service.Http.PostAsJsonAsync("/api/v1/tokens", new CreateToken(" ", "owner", 0), Json.Wire);

        using var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal(["name", "role", "days_valid"], problem.RootElement.GetProperty("errors").EnumerateArray().Select(e => e.GetProperty("field").GetString()));
    }

    [Fact]
    public async Task A_session_reads_but_writes_only_from_its_own_site()
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseCookies = false }) { BaseAddress = _service.Address };
        using var signedIn = await http.PostAsJsonAsync("/api/v1/session", new { token = _service.AdminToken }, Json.Wire);
        string cookie = Assert.Single(signedIn.Headers.GetValues("Set-Cookie"));

        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(HttpStatusCode.OK, await SendAsync(http, HttpMethod.Get, "/api/v1/me", cookie, null));
        Assert.Equal(HttpStatusCode.Forbidden, await SendAsync(http, HttpMethod.Post, "/api/v1/tokens", cookie, null));
        Assert.Equal(HttpStatusCode.Forbidden, await SendAsync(http, HttpMethod.Post, "/api/v1/tokens", cookie, "https://elsewhere.example"));
        Assert.Equal(HttpStatusCode.OK, await SendAsync(http, HttpMethod.Post, "/api/v1/tokens", cookie, _service.Address.GetLeftPart(UriPartial.Authority)));
    }

    [Fact]
    public async Task Guessing_tokens_is_slowed_down()
    {
        var answers = new List<HttpStatusCode>();
        for (int i = 0; i < 40; i++)
        {
            using var response = await _service.Http.PostAsJsonAsync("/api/v1/session", new { token = $"hth_{i}" }, Json.Wire);
            answers.Add(response.StatusCode);
        }

        Assert.Equal(HttpStatusCode.Unauthorized, answers[0]);
        Assert.Equal(HttpStatusCode.TooManyRequests, answers[^1]);
    }

    [Fact]
    public async Task A_body_that_is_no_json_is_answered_400_with_what_is_wrong()
    {
        using var response = await _service.Http.PostAsync(new Uri("/api/v1/tokens", UriKind.Relative), new StringContent("{", null, "application/json"));

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.StartsWith("body is no JSON at line 1, byte 2.", await DetailAsync(response), StringComparison.Ordinal);
    }

    private static async Task<HttpStatusCode> SendAsync(HttpClient http, HttpMethod method, string path, string cookie, string? origin)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.Add("Cookie", cookie.Split(';')[0]);
        if (origin is not null)
        {
            request.Headers.Add("Origin", origin);
        }

        request.Content = method == HttpMethod.Post ? JsonContent.Create(new CreateToken("page", "view", 1), options: Json.Wire) : null;
        using var response = await http.SendAsync(request);
        return response.StatusCode;
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient http)
    {
        using var response = await http.GetAsync(new Uri("/api/v1/me", UriKind.Relative));
        return response.StatusCode;
    }

    private static async Task<string?> DetailAsync(HttpResponseMessage response)
    {
        using var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return problem.RootElement.GetProperty("detail").GetString();
    }

    private async Task<TokenView> CreateAsync(string name, string role, int? days)
    {
        using var response = await _service.Http.PostAsJsonAsync("/api/v1/tokens", new CreateToken(name, role, days), Json.Wire);
        return (await response.Content.ReadFromJsonAsync<TokenView>(Json.Wire))!;
    }
}
