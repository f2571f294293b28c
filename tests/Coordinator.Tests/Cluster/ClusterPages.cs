using System.Net;
using System.Net.Http.Json;
using Hearth.Api;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Cluster;

[Collection(SharedPostgres.Name)]
public sealed class ClusterPages(PostgresServer postgres)
{
    [Fact]
    public async Task Admins_see_the_cluster_when_it_is_switched_on_and_nobody_else_does()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync(), null, ("HEARTH_CLUSTER_DASHBOARD", "on"));
        using var made = await service.PostAsync("/api/v1/tokens", new CreateToken("looker", "view", null));
        using var stranger = service.Client(null);
        using var looker = service.Client((await made.Content.ReadFromJsonAsync<TokenView>(Json.Wire))!.Secret);

        foreach (string path in new[] { "/orleans/", "/orleans/DashboardCounters" })
        {
            var codes = new List<HttpStatusCode>();
            foreach (var client in new[] { stranger, looker, service.Http })
            {
                using var answer = await client.GetAsync(new Uri(path, UriKind.Relative));
                codes.Add(answer.StatusCode);
            }

            Assert.Equal([HttpStatusCode.Unauthorized, HttpStatusCode.Forbidden, HttpStatusCode.OK], codes);
        }

        using var trace = await service.Http.GetAsync(new Uri("/orleans/Trace", UriKind.Relative));
        Assert.Equal(HttpStatusCode.Forbidden, trace.StatusCode);
    }

    [Fact]
    public async Task The_cluster_is_not_shown_unless_it_is_switched_on()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());

        using var answer = await service.Http.GetAsync(new Uri("/orleans/DashboardCounters", UriKind.Relative));

        Assert.NotEqual("application/json", answer.Content.Headers.ContentType?.MediaType);
    }
}
