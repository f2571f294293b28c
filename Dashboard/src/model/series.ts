import type { MetricSeries } from "../api/types";

/** Points of one metric; columns have equal length and `steps` ascends. `bucketSteps` > 1: an entry is a bucket of that many steps. */
export interface Series {
  readonly key: string;
  readonly bucketSteps: number;
  readonly steps: readonly number[];
  readonly times: readonly number[];
  readonly mean: readonly number[];
  readonly min: readonly number[];
  readonly max: readonly number[];
}

/** Wire form to model form; "NaN" and "Infinity" arrive as words. */
export function fromWire(wire: MetricSeries): Series {
  return {
    key: wire.key,
    bucketSteps: Math.max(1, wire.bucket_steps),
    steps: wire.steps,
    times: wire.unix_milliseconds,
    mean: wire.mean.map(Number),
    min: wire.min.map(Number),
    max: wire.max.map(Number),
  };
}

/** First step of the bucket that holds `step`. */
export function bucketStart(step: number, bucketSteps: number): number {
  return Math.floor(step / bucketSteps) * bucketSteps;
}

/** The step from which to fetch so that the last, perhaps unfilled, bucket comes whole. */
export function extendFrom(series: Series | undefined): number {
  const last = series?.steps.at(-1);
  return series === undefined || last === undefined ? 0 : bucketStart(last, series.bucketSteps);
}

/** Folds points into buckets aligned to multiples of `bucketSteps`; the bucket keeps its first step and time. */
export function fold(series: Series, bucketSteps: number): Series {
  if (bucketSteps <= series.bucketSteps) {
    return series;
  }
  const steps: number[] = [];
  const times: number[] = [];
  const mean: number[] = [];
  const min: number[] = [];
  const max: number[] = [];
  const weights: number[] = [];
  let bucket = Number.NaN;
  series.steps.forEach((step, i) => {
    const start = bucketStart(step, bucketSteps);
    const value = series.mean[i]!;
    if (start !== bucket) {
      bucket = start;
      steps.push(step);
      times.push(series.times[i]!);
      mean.push(value);
      min.push(series.min[i]!);
      max.push(series.max[i]!);
      weights.push(1);
      return;
    }
    const last = steps.length - 1;
    const weight = weights[last]! + 1;
    mean[last] = mean[last]! + (value - mean[last]!) / weight;
    weights[last] = weight;
    min[last] = Math.min(min[last]!, series.min[i]!);
    max[last] = Math.max(max[last]!, series.max[i]!);
  });
  return { key: series.key, bucketSteps, steps, times, mean, min, max };
}

/**
 * Lays a newer fetch over what is shown. Buckets before the first new one stay exactly as drawn; those from it on are
 * replaced. A coarser fetch replaces everything, since its buckets hold what is shown.
 */
export function extend(shown: Series | undefined, fetched: Series): Series {
  if (shown === undefined || shown.steps.length === 0) {
    return fetched;
  }
  const first = fetched.steps[0];
  if (first === undefined) {
    return shown;
  }
  const bucketSteps = Math.max(shown.bucketSteps, fetched.bucketSteps);
  const base = fold(shown, bucketSteps);
  const news = fold(fetched, bucketSteps);
  const from = bucketStart(first, bucketSteps);
  let keep = base.steps.length;
  while (keep > 0 && base.steps[keep - 1]! >= from) {
    keep--;
  }
  const join = (a: readonly number[], b: readonly number[]) => [...a.slice(0, keep), ...b];
  return {
    key: shown.key,
    bucketSteps,
    steps: join(base.steps, news.steps),
    times: join(base.times, news.times),
    mean: join(base.mean, news.mean),
    min: join(base.min, news.min),
    max: join(base.max, news.max),
  };
}

/** Extends every key; keys seen for the first time go last, so that panels never change places. */
export function extendAll(shown: readonly Series[], fetched: readonly Series[]): Series[] {
  const news = new Map(fetched.map((s) => [s.key, s]));
  const merged = shown.map((s) => {
    const more = news.get(s.key);
    news.delete(s.key);
    return more === undefined ? s : extend(s, more);
  });
  return [...merged, ...news.values()];
}

/** Values of `percentiles` (0..1) over the finite ones, by linear interpolation; null when there is none. */
export function quantiles(values: Iterable<number | null>, at: readonly number[]): number[] | null {
  const sorted = [...values].filter((v): v is number => v !== null && Number.isFinite(v)).sort((a, b) => a - b);
  if (sorted.length === 0) {
    return null;
  }
  return at.map((q) => {
    const place = q * (sorted.length - 1);
    const low = Math.floor(place);
    const high = Math.min(sorted.length - 1, low + 1);
    return sorted[low]! + (sorted[high]! - sorted[low]!) * (place - low);
  });
}
