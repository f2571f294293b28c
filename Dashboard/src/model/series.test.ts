import { describe, expect, it } from "vitest";
import { extend, extendAll, extendFrom, fold, quantiles } from "./series";
import type { Series } from "./series";
import { smooth } from "./smoothing";

function series(steps: number[], bucketSteps = 1, key = "loss"): Series {
  const mean = steps.map((s) => 10 - s / 10);
  return { key, bucketSteps, steps, times: steps.map((s) => s * 1000), mean, min: mean.map((m) => m - 1), max: mean.map((m) => m + 1) };
}

describe("smoothing", () => {
  it("starts at the first point, without the pull to zero", () => {
    const out = smooth([5, 5, 5], 0.9);
    out.forEach((v) => expect(v).toBeCloseTo(5, 12));
  });
  it("weighs as the formula says", () => {
    const [, second] = smooth([1, 3], 0.5);
    expect(second).toBeCloseTo((0.25 * 1 + 0.5 * 3) / 0.75, 12);
  });
  it("gives the raw points at 0 and passes over non-numbers", () => {
    expect(smooth([2, Number.NaN, 4], 0)).toEqual([2, null, 4]);
    const out = smooth([2, Number.NaN, 2], 0.9);
    expect(out[1]).toBeNull();
    expect(out[2]).toBeCloseTo(2, 12);
  });
  it("does not depend on what comes later, so a drawn point never moves", () => {
    const all = smooth([4, 3, 5, 2, 1], 0.9);
    expect(smooth([4, 3, 5], 0.9)).toEqual(all.slice(0, 3));
  });
});

describe("extension", () => {
  it("appends new points and leaves old ones untouched", () => {
    const shown = series([1, 2, 3]);
    const next = extend(shown, series([3, 4, 5]));
    expect(next.steps).toEqual([1, 2, 3, 4, 5]);
    expect(next.mean.slice(0, 2)).toEqual(shown.mean.slice(0, 2));
  });
  it("folds finer news into the buckets that are drawn", () => {
    const shown = series([0, 10, 20], 10);
    expect(extendFrom(shown)).toBe(20);
    const next = extend(shown, series([20, 21, 25, 30, 31]));
    expect(next.bucketSteps).toBe(10);
    expect(next.steps).toEqual([0, 10, 20, 30]);
    expect(next.mean[2]).toBeCloseTo((8 + 7.9 + 7.5) / 3, 12);
    expect(next.min[2]).toBeCloseTo(6.5, 12);
    expect(next.max[2]).toBeCloseTo(9, 12);
  });
  it("goes over to coarser buckets when the server does", () => {
    const next = extend(series([0, 1, 2, 3, 4, 5]), series([4, 8], 4));
    expect(next.bucketSteps).toBe(4);
    expect(next.steps).toEqual([0, 4, 8]);
  });
  it("keeps what is shown when nothing is new", () => {
    const shown = series([1, 2]);
    expect(extend(shown, series([]))).toBe(shown);
    expect(extend(undefined, shown)).toBe(shown);
  });
  it("puts new keys last", () => {
    const merged = extendAll([series([1], 1, "loss")], [series([1], 1, "a"), series([2], 1, "loss")]);
    expect(merged.map((s) => s.key)).toEqual(["loss", "a"]);
    expect(merged[0]!.steps).toEqual([1, 2]);
  });
  it("does not split buckets", () => expect(fold(series([0, 5], 5), 2).bucketSteps).toBe(5));
});

it("takes quantiles over finite values only", () => {
  expect(quantiles([1, null, Number.NaN, 3], [0, 0.5, 1])).toEqual([1, 2, 3]);
  expect(quantiles([null], [0.5])).toBeNull();
});
