using System.Data;
using Dapper;
using Npgsql;
using NpgsqlTypes;

namespace Hearth.Coordinator.Database;

/// <summary>
/// The values of a statement as PostgreSQL can hold them: the one place that all text passes on its way into the database, whatever
/// brought it (names, notes, logs, generated text, JSON).
/// </summary>
/// <param name="values">An object with a property for each parameter, or <see cref="DynamicParameters"/>.</param>
internal sealed class StorableParameters(object values) : SqlMapper.IDynamicParameters
{
    private readonly SqlMapper.IDynamicParameters _values = values as SqlMapper.IDynamicParameters ?? new DynamicParameters(values);

    public void AddParameters(IDbCommand command, SqlMapper.Identity identity)
    {
        _values.AddParameters(command, identity);
        foreach (NpgsqlParameter parameter in command.Parameters)
        {
            parameter.Value = parameter.Value switch
            {
                string json when parameter.NpgsqlDbType == NpgsqlDbType.Jsonb => StoredText.OfJson(json),
                string text => StoredText.Of(text),
                string?[] texts => Array.ConvertAll(texts, text => text is null ? null : StoredText.Of(text)),
                var other => other,
            };
        }
    }
}
