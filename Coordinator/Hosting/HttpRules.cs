namespace Hearth.Coordinator.Hosting;

/// <summary>What holds for every request: the JSON dialect, problem+json for every error, limits.</summary>
public static class HttpRules
{
    // The largest JSON body is a batch of metrics or logs; uploads of files lift the limit on their own routes.
    internal const long MostBodyBytes = 16L << 20;

    public static void AddHttpRules(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton(CoordinatorOptions.Read(builder.Configuration));
        builder.Services.ConfigureHttpJsonOptions(options => Json.Configure(options.SerializerOptions));
        builder.Services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        builder.Services.AddProblemDetails();
        builder.Services.AddExceptionHandler<ProblemHandler>();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MostBodyBytes;
        });
    }

    public static void UseHttpRules(this WebApplication app)
    {
        app.UseUnreadBodies();
        app.UseExceptionHandler();
        app.UseStatusCodePages(page => Problems.Unanswered(page.HttpContext).ExecuteAsync(page.HttpContext));
    }
}
