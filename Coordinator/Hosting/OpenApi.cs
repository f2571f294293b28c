using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.OpenApi;
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
        options.AddSchemaTransformer((schema, context, _) =>
        {
            DescribeWire(schema, context);
            return Task.CompletedTask;
        });
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo { Title = "Hearth", Version = Document, Description = "One pool out of the GPUs of a home." };
            document.Servers = [];
            return Task.CompletedTask;
        });
    });

    public static IEndpointConventionBuilder MapDescription(this WebApplication app) => app.MapOpenApi();

    /// <summary>What the generator does not know of <see cref="Json"/>: nulls are left out, and NaN is a word beside the numbers.</summary>
    private static void DescribeWire(OpenApiSchema schema, OpenApiSchemaTransformerContext context)
    {
        // A number or one of three words was called an object.
        if (schema.Type is JsonSchemaType.Object && schema.AnyOf is { Count: > 0 })
        {
            schema.Type = null;
        }

        foreach (var property in context.JsonTypeInfo.Properties.Where(MayBeNull))
        {
            schema.Required?.Remove(property.Name);
        }
    }

    private static bool MayBeNull(JsonPropertyInfo property) => property.IsGetNullable || Nullable.GetUnderlyingType(property.PropertyType) is not null;
}
