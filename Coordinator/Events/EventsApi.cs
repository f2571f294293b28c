using System.Globalization;
using Hearth.Coordinator.Jobs;

namespace Hearth.Coordinator.Events;

/// <summary><c>GET /api/v1/events</c>: one stream of server-sent events for everything that changes in the pool.</summary>
public static class EventsApi
{
    public static void AddEvents(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<EventFeed>();
        builder.Services.AddHostedService(services => services.GetRequiredService<EventFeed>());
        builder.Services.AddSingleton<IRecurringJob, EventTrimJob>();
    }

    public static void MapEvents(this RouteGroupBuilder api) => api.MapGet("/events", (HttpContext context, EventFeed feed, IHostApplicationLifetime life, string? last_event_id) =>
    {
        string? given = context.Request.Headers["Last-Event-ID"].ToString() is { Length: > 0 } header ? header : last_event_id;
        long? after = long.TryParse(given, NumberStyles.None, CultureInfo.InvariantCulture, out long id) ? id : null;

        // Streams never end by themselves; a stopping coordinator ends them, and pages go on at another one.
        var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, life.ApplicationStopping);
        context.Response.RegisterForDispose(stop);
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers["X-Accel-Buffering"] = "no";
        return TypedResults.ServerSentEvents(feed.ReadAsync(after, stop.Token));
    }).WithSummary("Server-sent events; resumes after Last-Event-ID (or last_event_id). A reset event means: read everything anew.");
}
