using Hearth.Data;

namespace Hearth.Coordinator.Datasets.Reading;

/// <summary>One text of a dataset, or one conversation. Its memory is valid until the next is asked for.</summary>
/// <param name="Name">File and line.</param>
/// <param name="Text">Empty where there are turns.</param>
/// <param name="Metadata">What its line says beside it.</param>
/// <param name="Turns">Of a conversation; null = a text.</param>
public readonly record struct SourceDocument(string Name, ReadOnlyMemory<char> Text, RowMetadata Metadata = default, IReadOnlyList<ChatTurn>? Turns = null);

/// <summary>What reading gives next: a document, or a row that is left out.</summary>
/// <param name="Document">Valid where <paramref name="Bad"/> is null.</param>
/// <param name="Bad">The row that is none.</param>
public readonly record struct SourceRow(SourceDocument Document, BadRow? Bad)
{
    public static SourceRow Of(SourceDocument document) => new(document, null);

    public static SourceRow Wrong(string at, BadRowKind kind, string detail = "") => new(default, new BadRow(at, kind, detail));
}
