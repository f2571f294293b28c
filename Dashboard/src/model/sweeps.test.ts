import { expect, test } from "vitest";
import type { SweepDetail, TrialView } from "../api/types";
import { axesOf, brushWords, isWithin, lineKind, methodWords, ordered, readBrushes, rungCurve, savedShare, startSweep, writeBrushes } from "./sweeps";

const trial = (number: number, setting: Record<string, unknown>, values: number[], status: TrialView["status"] = "stopped"): TrialView => ({
  number, setting, bracket: 0, rung_step: [10, 30, 90][Math.max(0, values.length - 1)]!, status, step: [0, 10, 30, 90][values.length]!,
  results: values.map((value, i) => ({ step: [10, 30, 90][i]!, value })),
});

const sweep = (trials: TrialView[], maximise = false): SweepDetail => ({
  summary: { id: "1", number: 1, name: "s", state: "running", created_by: "a", created_at: "", trials: 3, started: trials.length, training: 0, metric: "validation_loss", maximise, best_trial: 0, best_value: 1 },
  request: { name: "s", spec: {}, space: [
    { field: "optimizer.lr", kind: "log", min: 1e-4, max: 1e-2 },
    { field: "optimizer.name", values: ["adamw", "muon"] },
    { field: "optimizer.muon_momentum", min: 0.5, max: 0.9 },
  ] },
  rungs: [10, 30, 90], trials, decisions: [], tokens: 0, hours: 0,
});

const three = [
  trial(0, { "optimizer.lr": 1e-3, "optimizer.name": "muon", "optimizer.muon_momentum": 0.7 }, [3, 2, 1], "finished"),
  trial(1, { "optimizer.lr": 1e-4, "optimizer.name": "adamw" }, [4]),
  trial(2, { "optimizer.lr": 1e-2, "optimizer.name": "adamw" }, [], "training"),
];

test("an axis follows the search space: logarithms for log, places for choices, nothing where a field does not count", () => {
  const [rate, name, momentum] = axesOf(sweep(three));
  expect(three.map((t) => rate!.at(t)!.toFixed(3))).toEqual(["0.500", "0.000", "1.000"]);
  expect(three.map((t) => name!.at(t))).toEqual([1, 0, 0]);
  expect(momentum!.at(three[0]!)).toBeCloseTo(0.5);
  expect(momentum!.at(three[1]!)).toBeNull();
  expect(rate!.note).toBe("log");
});

test("the better result is at the head, whichever way is better", () => {
  const least = axesOf(sweep(three)).at(-1)!;
  const most = axesOf(sweep(three, true)).at(-1)!;
  expect([least.at(three[0]!), least.at(three[1]!), least.at(three[2]!)]).toEqual([1, 0, null]);
  expect([most.at(three[0]!), most.at(three[1]!)]).toEqual([0, 1]);
});

test("brushes narrow trials together, and one that does not cross the axis is left out", () => {
  const axes = axesOf(sweep(three));
  const within = (text: string) => three.filter((t) => isWithin(t, axes, readBrushes(text))).map((t) => t.number);
  expect(within("optimizer.lr:0.4-1.0")).toEqual([0, 2]);
  expect(within("optimizer.lr:0.4-1.0,:0.5-1")).toEqual([0]);
  expect(within("")).toEqual([0, 1, 2]);
});

test("a brush in words", () => {
  const [rate, name] = axesOf(sweep(three));
  const result = axesOf(sweep(three)).at(-1)!;
  expect(brushWords({ field: "optimizer.lr", low: 0.5, high: 1 }, rate!)).toBe("lr 1e-3 to 0.01");
  expect(brushWords({ field: "optimizer.name", low: 0.5, high: 1 }, name!)).toBe("name muon");
  expect(brushWords({ field: "", low: 0.5, high: 1 }, result)).toBe("validation loss 2.5 to 1");
});

test("brushes are read from the address as they were written", () => {
  const brushes = [{ field: "optimizer.lr", low: 0.25, high: 0.5 }, { field: "", low: 0, high: 1 }];
  expect(readBrushes(writeBrushes(brushes))).toEqual(brushes);
  expect(readBrushes("nonsense,optimizer.lr:a-b")).toEqual([]);
});

test("a trial is the best, running, promoted or stopped", () => {
  const { summary } = sweep(three);
  expect(three.map((t) => lineKind(t, summary))).toEqual(["best", "stopped", "running"]);
  expect(lineKind(trial(5, {}, [3, 2]), summary)).toBe("promoted");
});

test("a curve goes over the logarithms of the rungs", () => {
  expect(rungCurve(three[0]!, [10, 30, 90], 1, 3).map(([x, y]) => [x.toFixed(6), y])).toEqual([["0.000000", 1], ["0.500000", 0.5], ["1.000000", 0]]);
  expect(rungCurve(trial(1, {}, [2]), [10], 2, 2)).toEqual([[0.5, 0.5]]);
});

test("who got furthest comes first, then who is better", () => {
  expect(ordered([...three].reverse(), false).map((t) => t.number)).toEqual([0, 1, 2]);
  expect(ordered([trial(0, {}, [1]), trial(1, {}, [2])], true).map((t) => t.number)).toEqual([1, 0]);
});

test("what was saved is told of the steps of a full search", () => {
  expect(savedShare(sweep(three))).toBeCloseTo(1 - 100 / 270);
  expect(savedShare(sweep([]))).toBeNull();
});

test("a method in words, its defaults too", () => {
  expect(methodWords({ name: "a", spec: {}, space: [], search: { method: "tpe", halving: "asha", seed: 31 } })).toBe("TPE, ASHA, one of 3 goes on, seed 31");
  expect(methodWords({ name: "a", spec: {}, space: [] })).toBe("random, no halving, seed 1337");
});

test("a new sweep is the run with a search over its learning rate", () => {
  expect(startSweep({ name: "a" })).toMatchObject({ name: "a-sweep", spec: { name: "a" }, limits: { trials: 27 } });
});
