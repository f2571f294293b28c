import { describe, expect, it } from "vitest";
import type { LogEntry } from "../api/types";
import { findLines, foldLog } from "./logFold";

const line = (id: number, text: string, level: LogEntry["level"] = "info"): LogEntry => ({ id, attempt: 1, at: "", level, text });
const steps = (from: number, n: number) => Array.from({ length: n }, (_, i) => line(from + i, `step ${from + i}  loss 3.1`));

describe("folding", () => {
  const lines = [line(1, "model built"), ...steps(10, 30), line(50, "loss is high", "warning"), ...steps(60, 30)];
  it("folds steps in a row but never the newest lines", () => {
    const rows = foldLog(lines, new Set(), true);
    expect(rows.map((r) => r.kind).slice(0, 4)).toEqual(["line", "fold", "line", "fold"]);
    expect(rows[1]).toMatchObject({ words: "30 step lines: steps 10 to 39" });
    expect(rows.slice(-24).every((r) => r.kind === "line")).toBe(true);
  });
  it("opens a fold", () => expect(foldLog(lines, new Set([10]), true).slice(1, 31).every((r) => r.kind === "line")).toBe(true));
  it("marks warnings and resumes", () => {
    const rows = foldLog([line(1, "a", "warning"), line(2, "resumed at step 5")], new Set(), true);
    expect(rows.map((r) => (r.kind === "line" ? r.tone : ""))).toEqual(["warning", "good"]);
  });
});

it("finds text whatever its case", () => expect(findLines([line(1, "Loss NaN"), line(2, "ok")], "nan")).toHaveLength(1));
