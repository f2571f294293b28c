import { describe, expect, it } from "vitest";
import type { RunState, RunSummary } from "../api/types";
import { allowedVerbs, endOf, filterWords, heldOrder, intoSections, modelName } from "./runs";

function run(id: string, state: RunState, more: Partial<RunSummary> = {}): RunSummary {
  return {
    id, number: Number(id), name: `run-${id}`, state, family: "qovaryx", size: "50m", task: "pretrain", dataset: "docs", priority: "normal",
    tags: [], created_by: "mara", created_at: `2026-11-22T10:00:0${id}Z`, step: 0, total_steps: 100, tokens: 0, sparkline: [], ...more,
  };
}
const ALL = { states: [], family: "", text: "" };

describe("sections", () => {
  it("follow events: a run that ended leaves training", () => {
    const told = new Map([["1", run("1", "succeeded", { ended_at: "2026-11-22T12:00:00Z" })]]);
    const sections = intoSections([run("1", "running"), run("2", "queued")], told, ALL);
    expect(sections.training).toHaveLength(0);
    expect(sections.finished.map((r) => r.id)).toEqual(["1"]);
    expect(sections.waiting.map((r) => r.id)).toEqual(["2"]);
  });
  it("never take an ended run back to life from an older event", () => {
    const told = new Map([["1", run("1", "running")]]);
    expect(intoSections([run("1", "cancelled")], told, ALL).finished).toHaveLength(1);
  });
  it("put waiting runs by priority, then number, paused ones last", () => {
    const rows = [run("1", "paused"), run("2", "queued"), run("3", "queued", { priority: "high" })];
    expect(intoSections(rows, new Map(), ALL).waiting.map((r) => r.id)).toEqual(["3", "2", "1"]);
  });
  it("apply filters to what events bring", () => {
    const told = new Map([["5", run("5", "running", { name: "other" })]]);
    expect(intoSections([], told, { ...ALL, text: "qvx" }).training).toHaveLength(0);
    expect(intoSections([], told, { ...ALL, text: "OTH" }).training).toHaveLength(1);
  });
});

describe("while the pointer is in the list", () => {
  it("keeps rows in place with new values and counts the changes", () => {
    const before = intoSections([run("1", "running"), run("2", "queued")], new Map(), ALL);
    const after = intoSections([run("1", "succeeded", { step: 100 }), run("2", "queued"), run("3", "queued")], new Map(), ALL);
    const held = heldOrder(before, after);
    expect(held.changes).toBe(2);
    expect(held.sections.training.map((r) => r.step)).toEqual([100]);
    expect(held.sections.waiting).toHaveLength(1);
  });

  it("appends further pages of finished runs, which are no changes", () => {
    const before = intoSections([run("9", "succeeded", { ended_at: "2026-11-02T00:00:00Z" })], new Map(), ALL);
    const after = intoSections([run("9", "succeeded", { ended_at: "2026-11-02T00:00:00Z" }), run("8", "failed", { ended_at: "2026-11-03T00:00:00Z" })], new Map(), ALL);
    const held = heldOrder(before, after);
    expect(held.changes).toBe(0);
    expect(held.sections.finished.map((r) => r.id)).toEqual(["9", "8"]);
  });
});

it("allows verbs by state", () => {
  expect(allowedVerbs("running")).toEqual({ pause: true, resume: false, cancel: true, checkpoint: true });
  expect(allowedVerbs("paused")).toEqual({ pause: false, resume: true, cancel: true, checkpoint: false });
  expect(allowedVerbs("failed").cancel).toBe(false);
});

it("says when a run ends and what a filter hides", () => {
  const now = Date.parse("2026-11-22T21:14:00Z");
  expect(endOf(run("1", "running", { seconds_left: 23_340 }), now).sub).toBe("in 6\u00a0h\u00a029\u00a0min");
  expect(endOf(run("1", "queued"), now).at).toBe("–");
  expect(filterWords({ states: ["failed"], family: "", text: " qvx " }).map((w) => w.words)).toEqual(["State is failed", "text “qvx”"]);
  expect(modelName({ family: "qovaryx", size: "50m" })).toBe("Qovaryx\u00a050M");
});
