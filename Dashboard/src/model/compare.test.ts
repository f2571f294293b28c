import { describe, expect, it } from "vitest";
import type { ComparedRun, Comparison } from "../api/types";
import { bestOf, bestWords, colorOf, comparisonChart, metricTitle, valueWords } from "./compare";

const run = (number: number, at: number[], mean: (number | "NaN")[], more: Partial<ComparedRun> = {}): ComparedRun => ({
  id: String(number), number, name: `run ${number}`, state: "succeeded", step: 10, total_steps: 10, tokens: 100, seconds: 5,
  curve: { bucket_steps: 1, at, steps: at, mean, min: mean, max: mean }, ...more,
});
const comparison = (runs: ComparedRun[], more: Partial<Comparison> = {}): Comparison => ({
  metric: "validation_loss", maximise: false, axis: "tokens", metrics: ["validation_loss"], runs, differences: [], notes: [], ...more,
});

describe("a comparison", () => {
  it("lays runs over one axis, each with a point where it has one, and leaves out runs without any", () => {
    const chart = comparisonChart(comparison([run(1, [10, 30], [4, 3]), run(2, [20, 30], [5, "NaN"]), run(3, [], [])]), 0.9);
    expect(chart.x).toEqual([10, 20, 30]);
    expect(chart.lines.map((line) => [line.label, line.color, line.values])).toEqual([["r-1", 1, [4, undefined, 3]], ["r-2", 2, [undefined, 5, null]]]);
    expect([chart.title, chart.unit]).toEqual(["Validation loss", "over tokens"]);
  });

  it("smooths what comes each step and draws evaluations as they are", () => {
    const each = comparisonChart(comparison([run(1, [1, 2], [4, 2])], { metric: "loss" }), 0.9).lines[0]!;
    expect(each.dots).toBe(false);
    expect(Number(each.values[1])).toBeGreaterThan(2);
    expect(comparisonChart(comparison([run(1, [1, 2], [4, 2])]), 0.9).lines[0]!.values).toEqual([4, 2]);
  });

  it("keeps a run's colour where the one before it has no points, and begins again after ten", () => {
    expect(comparisonChart(comparison([run(1, [], []), run(2, [1], [1])]), 0).lines[0]!.color).toBe(2);
    expect([colorOf(9), colorOf(10)]).toEqual([10, 1]);
  });

  it("says which run is best, by the metric's own sense, and where its checkpoint lies", () => {
    const runs = [run(1, [1], [1]), run(2, [1], [1], { best: { step: 8, value: 2 } }), run(3, [1], [1], { best: { step: 9, value: 3 }, checkpoint: { id: "c", step: 7, where: "before" } })];
    expect(bestOf(comparison(runs))).toBe(1);
    expect(bestOf(comparison(runs, { maximise: true }))).toBe(2);
    expect(bestOf(comparison([runs[0]!]))).toBeNull();
    expect(runs.map(bestWords)).toEqual(["no value yet", "step 8, no checkpoint kept", "step 9, checkpoint before it at 7"]);
  });

  it("writes values as people do", () => {
    expect([valueWords(null), valueWords(""), valueWords(true), valueWords([1, 2]), valueWords("muon")]).toEqual(["–", "empty", "true", "[1,2]", "muon"]);
    expect(metricTitle("tokens_per_second")).toBe("Tokens per second");
  });
});
