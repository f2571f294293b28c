using System.Data;
using System.Text.Json;
using Dapper;
using Npgsql;
using NpgsqlTypes;

namespace Hearth.Coordinator.Database;

/// <summary>How rows become records: <c>snake_case</c> columns, UTC times, enums by name, and JSON where a parameter asks for it.</summary>
internal static class DapperTypes
{
    internal static void Register()
    {
        DefaultTypeMap.MatchNamesWithUnderscores = true;
        SqlMapper.AddTypeHandler(new UtcTime());
        SqlMapper.AddTypeHandler(new JsonColumn());
    }

    /// <summary>A value as a <c>jsonb</c> parameter; null is SQL's null.</summary>
    internal static SqlMapper.ICustomQueryParameter Jsonb<T>(T value) => new JsonbParameter(value is null ? null : JsonSerializer.Serialize(value, Json.Wire));

    private sealed class UtcTime : SqlMapper.TypeHandler<DateTimeOffset>
    {
        public override DateTimeOffset Parse(object value) => new(DateTime.SpecifyKind((DateTime)value, DateTimeKind.Utc));

        public override void SetValue(IDbDataParameter parameter, DateTimeOffset value) => parameter.Value = value.UtcDateTime;
    }

    private sealed class JsonColumn : SqlMapper.TypeHandler<JsonElement>
    {
        public override JsonElement Parse(object value) => JsonElement.Parse((string)value);

        public override void SetValue(IDbDataParameter parameter, JsonElement value) =>
            throw new NotSupportedException("JSON parameters are made by Jsonb()");
    }

    private sealed class JsonbParameter(string? json) : SqlMapper.ICustomQueryParameter
    {
        public void AddParameter(IDbCommand command, string name) => command.Parameters.Add(
            new NpgsqlParameter(name, NpgsqlDbType.Jsonb) { Value = (object?)json ?? DBNull.Value });
    }
}
