import { expect, it } from "vitest";
import type { ImportView } from "../api/types";
import { datasetName, importShare, importWords, lengthBars, scriptBars } from "./datasets";
import { NB } from "./format";

const view: ImportView = {
  id: "1", name: "docs", license: "mine", source: "a.jsonl", state: "running", stage: "reading", bytes_read: 512, bytes_total: 2048, documents: 3, bad_rows: 1, duplicates: 2,
  created_by: "me", created_at: "2026-11-30T00:00:00Z",
};

const said = (of: ImportView) => importWords(of).replaceAll(NB, " ");

it("scales bars of lengths by the highest", () => {
  expect(lengthBars([{ from: 64, documents: 1 }, { from: 128, documents: 0 }, { from: 256, documents: 4 }]).map((b) => b.share)).toEqual([0.25, 0, 1]);
  expect(lengthBars([])).toEqual([]);
});

it("puts rare scripts together and loses no letter", () => {
  const scripts = ["Latin", "Greek", "Han", "Thai"].map((name, i) => ({ name, letters: 8 - i * 2 }));
  expect(scriptBars(scripts, 3)).toEqual([{ label: "Latin", value: 8, share: 0.4 }, { label: "Greek", value: 6, share: 0.3 }, { label: "all others", value: 6, share: 0.3 }]);
  expect(scriptBars(scripts, 4).map((b) => b.label)).toEqual(["Latin", "Greek", "Han", "Thai"]);
});

it("tells how far an import is, and knows when it cannot know", () => {
  expect(importShare(view)).toBe(0.25);
  expect(importShare({ ...view, bytes_total: null })).toBeNull();
  expect(importShare({ ...view, stage: "storing" })).toBe(1);
  expect(said(view)).toBe("Reading: 3 documents, 512 B of 2.0 kB; left out: 1 bad row, 2 duplicates");
  expect(said({ ...view, state: "failed", error: { field: "files", value: "", allowed: "", message: "a.jsonl is damaged." } })).toBe("a.jsonl is damaged.");
  expect(said({ ...view, state: "done", bad_rows: 0, duplicates: 0 })).toBe("3 documents");
});

it("makes a name of a file's name", () => {
  expect(datasetName("My notes.tar.gz")).toBe("My-notes");
  expect(datasetName("_rows.v2.jsonl")).toBe("rows.v2");
});
