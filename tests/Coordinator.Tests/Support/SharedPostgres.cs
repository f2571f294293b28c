using Xunit;

namespace Hearth.Tests.Support;

/// <summary>One PostgreSQL server for all tests of this assembly that need one; each takes databases of its own from it.</summary>
[CollectionDefinition(Name)]
public sealed class SharedPostgres : ICollectionFixture<PostgresServer>
{
    public const string Name = "PostgreSQL";
}
