import type { LogEntry } from "../api/types";

export type LogRow =
  | { readonly kind: "line"; readonly entry: LogEntry; readonly tone: "" | "warning" | "error" | "good" }
  | { readonly kind: "fold"; readonly first: number; readonly words: string; readonly lines: readonly LogEntry[] };

const STEP = /^step ([\d,]+)\b/;
/** Step lines in a row from which on they are folded. */
const LEAST = 6;
/** Newest lines that are never folded, so that a live log is seen to move. */
const TAIL = 24;

/** Rows as shown: runs of step lines folded into one row that can be opened; the newest lines stay. */
export function foldLog(lines: readonly LogEntry[], open: ReadonlySet<number>, fold: boolean): LogRow[] {
  const rows: LogRow[] = [];
  const tail = lines.length - TAIL;
  let at = 0;
  while (at < lines.length) {
    let end = at;
    while (fold && end < tail && isStep(lines[end]!)) {
      end++;
    }
    const first = lines[at]!;
    const group = lines.slice(at, Math.max(end, at + 1));
    if (end - at >= LEAST && !open.has(first.id)) {
      rows.push({ kind: "fold", first: first.id, lines: group, words: `${group.length} step lines: steps ${stepOf(first)} to ${stepOf(group.at(-1)!)}` });
    } else {
      group.forEach((entry) => rows.push({ kind: "line", entry, tone: toneOf(entry) }));
    }
    at += group.length;
  }
  return rows;
}

function isStep(entry: LogEntry): boolean {
  return entry.level !== "warning" && entry.level !== "error" && STEP.test(entry.text);
}

function stepOf(entry: LogEntry): string {
  return STEP.exec(entry.text)?.[1] ?? "";
}

function toneOf(entry: LogEntry): "" | "warning" | "error" | "good" {
  if (entry.level === "warning" || entry.level === "error") {
    return entry.level;
  }
  return /\bresum/i.test(entry.text) ? "good" : "";
}

/** Lines that hold the text, case aside. */
export function findLines(lines: readonly LogEntry[], text: string): readonly LogEntry[] {
  const wanted = text.trim().toLowerCase();
  return wanted === "" ? lines : lines.filter((line) => line.text.toLowerCase().includes(wanted));
}
