using Microsoft.OpenApi;

namespace Hearth.Coordinator.Hosting;

/// <summary>
/// The description of the HTTP surface: served at <c>/openapi/v1.json</c> and committed as <c>Coordinator/openapi.json</c>, from which the
/// dashboard's types are made.
/// </summary>
public static class OpenApi
{
    public const string Document = "v1";

    public static void AddDescription(this WebApplicationBuilder builder) => builder.Services.AddOpenApi(Document, options =>
    {
        options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        options.ShouldInclude = route => route.RelativePath?.StartsWith("api/", StringComparison.Ordinal) == true;
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo { Title = "Hearth", Version = Document, Description = "One pool out of the GPUs of a home." };
            document.Servers = [];
            return Task.CompletedTask;
        });
    });

    public static void MapDescription(this WebApplication app) => app.MapOpenApi().RequireAuthorization(Policies.View);
}
