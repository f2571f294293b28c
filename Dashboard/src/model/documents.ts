/** Least letters of a piece, so that a piece is worth calling a document. */
const PIECE = 2000;

/**
 * Texts as the documents of a dataset, which needs two: one trains, another validates. Several texts are one document each; a
 * single one is cut at blank lines.
 */
export function toDocuments(texts: readonly string[]): string[] {
  const filled = texts.filter((text) => text.trim() !== "");
  return filled.length === 1 ? cut(filled[0]!) : filled;
}

function cut(text: string): string[] {
  const pieces: string[] = [];
  let piece = "";
  for (const paragraph of text.split(/(?<=\n[ \t]*\n)(?=\S)/)) {
    piece += paragraph;
    if (piece.length >= PIECE) {
      pieces.push(piece);
      piece = "";
    }
  }
  return piece.trim() === "" ? pieces : [...pieces, piece];
}

/** Documents as a .jsonl file, one a line. */
export function toJsonLines(documents: readonly string[]): string {
  return documents.map((text) => `${JSON.stringify({ text })}\n`).join("");
}
