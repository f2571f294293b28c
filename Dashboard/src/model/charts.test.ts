import { describe, expect, it } from "vitest";
import type { AttemptView, CheckpointView } from "../api/types";
import { buildCharts, chartSummary, marksOf, stepLabel, yRange } from "./charts";
import type { Series } from "./series";

function series(key: string, steps: number[], values: number[]): Series {
  return { key, bucketSteps: 1, steps, times: steps.map((s) => s * 1000), mean: values, min: values, max: values };
}

describe("charts of a run", () => {
  it("always has loss, learning rate and speed, and others only with points", () => {
    const ids = buildCharts([series("loss", [1], [2])], "step", 0, []).map((c) => c.id);
    expect(ids).toEqual(["loss", "lr", "speed"]);
    const more = buildCharts([series("memory_bytes", [1], [2 ** 30]), series("mtp_loss", [1], [3])], "step", 0, []);
    expect(more.map((c) => c.id)).toEqual(["loss", "lr", "speed", "memory", "mtp_loss"]);
    expect(more[3]!.lines[0]!.values).toEqual([1]);
  });
  it("lays train and validation on one axis without breaking either", () => {
    const [loss] = buildCharts([series("loss", [1, 2, 3], [5, 4, 3]), series("validation_loss", [2.5], [4])], "step", 0, []);
    expect(loss!.x).toEqual([1, 2, 2.5, 3]);
    expect(loss!.lines[0]!.values).toEqual([5, 4, undefined, 3]);
    expect(loss!.lines[1]!.values).toEqual([undefined, undefined, 4, undefined]);
  });
  it("lays validation of the raw weights beside that of the averaged", () => {
    const charts = buildCharts([series("loss", [1, 2], [5, 4]), series("validation_loss", [2], [4]), series("validation_raw", [2], [4.5])], "step", 0, []);
    expect(charts.map((c) => c.id)).toEqual(["loss", "lr", "speed"]);
    expect(charts[0]!.lines.map((l) => [l.label, l.values.at(-1)])).toEqual([["train", 4], ["validation", 4], ["without average", 4.5]]);
  });
  it("counts skipped steps where there were any", () => {
    const skipped = buildCharts([series("skipped_steps", [3, 9], [1, 2])], "step", 0.9, []).at(-1)!;
    expect([skipped.title, skipped.zero, skipped.lines[0]!.values]).toEqual(["Skipped steps", true, [1, 2]]);
  });
  it("never smooths validation", () => {
    const [loss] = buildCharts([series("validation_loss", [1, 2], [4, 2])], "step", 0.9, []);
    expect(loss!.lines[0]!.values).toEqual([4, 2]);
  });
  it("breaks lines in a gap of the time axis only", () => {
    const loss = series("loss", [1, 2, 100], [5, 4, 3]);
    expect(buildCharts([loss], "time", 0, [[2, 100]])[0]!.lines[0]!.values).toEqual([5, 4, null, 3]);
    expect(buildCharts([loss], "step", 0, [[2, 100]])[0]!.lines[0]!.values).toEqual([5, 4, 3]);
  });
  it("marks values that are no numbers", () => {
    const [loss] = buildCharts([series("loss", [1, 2], [5, Number.NaN])], "step", 0.9, []);
    expect(loss!.broken).toEqual([2]);
    expect(loss!.lines[0]!.values[1]).toBeNull();
  });
});

describe("the y scale", () => {
  const steps = Array.from({ length: 100 }, (_, i) => i);
  const [loss] = buildCharts([series("loss", steps, steps.map((s) => (s === 0 ? 9.92 : 4 - s / 100)))], "step", 0, []);
  it("leaves the start out and says what it leaves out", () => {
    const range = yRange(loss!, 0, 99, false)!;
    expect(range.high).toBeLessThan(4.2);
    expect(range.above).toEqual({ x: 0, value: 9.92 });
  });
  it("shows all when asked", () => expect(yRange(loss!, 0, 99, true)!.high).toBeGreaterThan(9.92));
  it("is absent without points", () => expect(yRange(loss!, 500, 600, false)).toBeNull());
});

it("marks moves, gaps, grounds and checkpoints", () => {
  const at = (s: number) => new Date(s * 1000).toISOString();
  const attempt = (number: number, device: string, from: number, to: number | null, first: number) =>
    ({ number, device, first_step_at: at(from), ended_at: to === null ? null : at(to), first_step: first }) as unknown as AttemptView;
  const attempts = [attempt(1, "a", 0, 10, 0), attempt(2, "b", 30, 40, 50), attempt(3, "b", 41, null, 90)];
  const checkpoint = { step: 50, status: "kept", created_at: at(9) } as unknown as CheckpointView;
  const time = marksOf(attempts, [checkpoint], "time", 200);
  expect(time.gaps).toEqual([[10, 30]]);
  const step = marksOf(attempts, [checkpoint], "step", 200);
  expect(step.gaps).toEqual([]);
  expect(step.grounds).toEqual([[50, 90]]);
  expect(step.moves.map((m) => m.label)).toEqual(["a to b", "resumed"]);
  expect(step.checkpoints).toEqual([{ x: 50, kept: true }]);
});

it("describes a chart in words and labels steps", () => {
  const [loss] = buildCharts([series("loss", [1, 2], [5, 4])], "step", 0, []);
  expect(chartSummary(loss!)).toBe("Loss in nats/token: train from 5.000 to 4.000, least 4.000.");
  expect(stepLabel(2000)).toBe("2k");
  expect(stepLabel(2500)).toBe("2.5k");
  expect(stepLabel(2750)).toBe("2.75k");
  expect(stepLabel(250)).toBe("250");
});
