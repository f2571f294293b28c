import type { DatasetManifest, ImportView } from "../api/types";
import { count, fileSize, plural, short } from "./format";

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Of the highest bar, 0..1. */
  readonly share: number;
}

/** Documents by length; a label is the least length of its bar. */
export function lengthBars(lengths: DatasetManifest["lengths"]): Bar[] {
  const most = Math.max(1, ...lengths.map((l) => l.documents));
  return lengths.map((l) => ({ label: short(l.from), value: l.documents, share: l.documents / most }));
}

/** Letters by script as shares of all letters; the rare ones together. */
export function scriptBars(scripts: DatasetManifest["scripts"], most = 6): Bar[] {
  const all = scripts.reduce((sum, s) => sum + s.letters, 0);
  const named = scripts.length <= most ? scripts : scripts.slice(0, most - 1);
  const rest = scripts.slice(named.length).reduce((sum, s) => sum + s.letters, 0);
  const bars = [...named.map((s) => ({ label: s.name, value: s.letters })), ...(rest > 0 ? [{ label: "all others", value: rest }] : [])];
  return bars.map((bar) => ({ ...bar, share: bar.value / Math.max(1, all) }));
}

/** Bad rows of all kinds. */
export function badRows(manifest: DatasetManifest): number {
  return Object.values(manifest.bad_rows).reduce((sum, n) => sum + n, 0);
}

const KINDS: Readonly<Record<string, string>> = {
  empty: "no text in it",
  not_json: "no JSON object",
  no_text: "neither a text nor a conversation",
  wrong_field: "a field is wrong",
  lone_surrogate: "half of a letter",
  nul: "a NUL in it",
  not_utf8: "no UTF-8",
  too_long: "over 64 MiB",
};

/** What is wrong with a bad row, in words. */
export function kindWords(kind: string): string {
  return KINDS[kind] ?? kind;
}

/** How far an import is, 0..1; null where its length is not known. */
export function importShare(view: ImportView): number | null {
  return view.stage === "storing" ? 1 : view.bytes_total ? Math.min(1, view.bytes_read / view.bytes_total) : null;
}

/** What an import does, or what came of it, in one line. */
export function importWords(view: ImportView): string {
  const out = [view.bad_rows > 0 ? plural(view.bad_rows, "bad row") : "", view.duplicates > 0 ? plural(view.duplicates, "duplicate") : ""].filter((w) => w !== "").join(", ");
  const left = out === "" ? "" : `; left out: ${out}`;
  switch (view.state) {
    case "queued":
      return "Waiting for its turn";
    case "running":
      return view.stage === "opening" ? "Opening" : view.stage === "storing" ? `Storing ${plural(view.documents, "document")}` :
        `Reading: ${plural(view.documents, "document")}, ${fileSize(view.bytes_read)}${view.bytes_total ? ` of ${fileSize(view.bytes_total)}` : ""}${left}`;
    case "done":
      return `${plural(view.documents, "document")}${left}`;
    case "failed":
      return view.error?.message ?? "It failed";
    default:
      return `Cancelled after ${count(view.documents)} documents`;
  }
}

/** "My notes.tar.gz" → "My-notes": what the API takes as a name. */
export function datasetName(file: string): string {
  return file.replace(/(\.(gz|zst|tar|tgz|zip|txt|text|md|rst|jsonl|ndjson|parquet))+$/i, "").replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 64);
}
