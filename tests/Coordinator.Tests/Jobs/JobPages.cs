using System.Net;
using System.Net.Http.Json;
using Hearth.Api;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Jobs;

[Collection(SharedPostgres.Name)]
public sealed class JobPages(PostgresServer postgres)
{
    [Fact]
    public async Task Admins_see_hangfires_pages_when_they_are_switched_on_and_nobody_else_does()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync(), null, ("HEARTH_JOBS_DASHBOARD", "on"));
        using var made = await service.PostAsync("/api/v1/tokens", new CreateToken("looker", "view", null));
        using var stranger = service.Client(null);
        using var looker = service.Client((await made.Content.ReadFromJsonAsync<TokenView>(Json.Wire))!.Secret);

        var codes = new List<HttpStatusCode>();
        foreach (var client in new[] { stranger, looker, service.Http })
        {
            using var answer = await client.GetAsync(new Uri("/hangfire/recurring", UriKind.Relative));
            codes.Add(answer.StatusCode);
        }

        Assert.Equal([HttpStatusCode.Unauthorized, HttpStatusCode.Forbidden, HttpStatusCode.OK], codes);
        Assert.Contains("blob-sweep", await service.Http.GetStringAsync(new Uri("/hangfire/recurring", UriKind.Relative)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task They_are_not_shown_unless_they_are_switched_on()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());

        using var answer = await service.Http.GetAsync(new Uri("/hangfire/recurring", UriKind.Relative));

        Assert.DoesNotContain("blob-sweep", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }
}
