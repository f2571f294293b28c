import type { AttemptView, CheckpointView } from "../api/types";
import { plain, short } from "./format";
import type { Series } from "./series";
import { quantiles } from "./series";
import { smooth } from "./smoothing";

export type Axis = "step" | "time";
export type Column = (number | null | undefined)[];

/** One line of a chart. `null` breaks it, `undefined` is a place where another line has a point. */
export interface ChartLine {
  readonly label: string;
  /** 1 to 10, of the series palette. */
  readonly color: number;
  readonly values: Column;
  /** The unsmoothed points, for the legend; absent where nothing is smoothed. */
  readonly raw?: Column;
  readonly low?: Column;
  readonly high?: Column;
  readonly dots: boolean;
}

export interface ChartModel {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly x: number[];
  readonly lines: readonly ChartLine[];
  /** True where the start is far above the rest and is announced instead of drawn. */
  readonly clip: boolean;
  /** True where the scale begins at nothing. */
  readonly zero: boolean;
  readonly format: (value: number) => string;
  /** Steps whose value is no number. */
  readonly broken: readonly number[];
}

interface PanelRule {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly { readonly key: string; readonly label: string; readonly smooth?: boolean; readonly dots?: boolean; readonly color: number }[];
  readonly clip?: boolean;
  readonly scale?: number;
  readonly zero?: boolean;
  readonly format: (value: number) => string;
}

const three = (value: number) => value.toFixed(3);
const RULES: readonly PanelRule[] = [
  { id: "loss", title: "Loss", unit: "nats/token", clip: true, format: three, lines: [
    { key: "loss", label: "train", smooth: true, color: 1 },
    { key: "validation_loss", label: "validation", dots: true, color: 2 },
    { key: "validation_raw", label: "without average", dots: true, color: 5 }] },
  { id: "lr", title: "Learning rate", unit: "", format: plain, lines: [{ key: "lr", label: "peak", color: 6 }] },
  { id: "speed", title: "Speed", unit: "tok/s", format: short, lines: [{ key: "tokens_per_second", label: "speed", smooth: true, color: 3 }] },
  { id: "bits_per_byte", title: "Bits per byte", unit: "of held-out text", clip: true, format: three, lines: [{ key: "validation_bits_per_byte", label: "validation", dots: true, color: 2 }] },
  { id: "memory", title: "Memory", unit: "GB", zero: true, scale: 2 ** -30, format: (v) => v.toFixed(v < 10 ? 2 : 1), lines: [{ key: "memory_bytes", label: "used", color: 9 }] },
  { id: "power", title: "Power", unit: "W", format: plain, lines: [{ key: "power_watts", label: "draw", color: 5 }] },
  { id: "temperature", title: "Temperature", unit: "°C", format: plain, lines: [{ key: "temperature_celsius", label: "core", color: 7 }] },
  { id: "utilization", title: "Utilisation", unit: "%", zero: true, format: plain, lines: [{ key: "utilization_percent", label: "busy", color: 8 }] },
  { id: "grad_norm", title: "Gradient norm", unit: "before clipping", clip: true, format: plain, lines: [{ key: "grad_norm", label: "norm", smooth: true, color: 4 }] },
  { id: "step_seconds", title: "Step time", unit: "s", format: plain, lines: [{ key: "step_seconds", label: "step", smooth: true, color: 10 }] },
  { id: "skipped", title: "Skipped steps", unit: "not finite, in all", zero: true, format: plain, lines: [{ key: "skipped_steps", label: "skipped", dots: true, color: 7 }] },
  { id: "checkpoint_pause", title: "Checkpoint pause", unit: "ms", zero: true, scale: 1000, format: plain, lines: [{ key: "checkpoint_pause_seconds", label: "paused", dots: true, color: 2 }] },
];
/** Series that say what another one says already. */
const UNDRAWN = new Set(["tokens"]);
const ALWAYS: readonly string[] = ["loss", "lr", "speed"];

/** A stretch of the axis in its own units. */
export type Span = readonly [number, number];

/**
 * The charts of a run: loss, learning rate and speed always, others where there are points, unknown keys last.
 * On the time axis no line crosses a gap.
 */
export function buildCharts(series: readonly Series[], axis: Axis, weight: number, gaps: readonly Span[]): ChartModel[] {
  const by = new Map(series.map((s) => [s.key, s]));
  const known = new Set(RULES.flatMap((rule) => rule.lines.map((line) => line.key)));
  const others = series.filter((s) => !known.has(s.key) && !UNDRAWN.has(s.key)).map((s): PanelRule =>
    ({ id: s.key, title: s.key.replaceAll("_", " "), unit: "", format: plain, lines: [{ key: s.key, label: "value", smooth: true, color: 10 }] }));
  return [...RULES, ...others]
    .filter((rule) => ALWAYS.includes(rule.id) || rule.lines.some((line) => (by.get(line.key)?.steps.length ?? 0) > 0))
    .map((rule) => buildChart(rule, by, axis, weight, axis === "time" ? gaps : []));
}

function buildChart(rule: PanelRule, by: ReadonlyMap<string, Series>, axis: Axis, weight: number, gaps: readonly Span[]): ChartModel {
  const present = rule.lines.flatMap((line) => {
    const found = by.get(line.key);
    return found === undefined || found.steps.length === 0 ? [] : [{ line, found }];
  });
  const breaks = gaps.map(([from, to]) => (from + to) / 2);
  const places = (s: Series) => (axis === "step" ? s.steps : s.times.map((t) => t / 1000));
  const x = [...new Set([...present.flatMap(({ found }) => places(found)), ...(present.length > 0 ? breaks : [])])].sort((a, b) => a - b);
  const index = new Map(x.map((value, i) => [value, i]));
  const spread = (s: Series, values: readonly (number | null)[]): Column => {
    const column: Column = new Array<number | null | undefined>(x.length).fill(undefined);
    breaks.forEach((at) => { column[index.get(at)!] = null; });
    places(s).forEach((at, i) => { column[index.get(at)!] = values[i] ?? null; });
    return column;
  };
  const scale = rule.scale ?? 1;
  const lines = present.map(({ line, found }): ChartLine => {
    const scaled = (values: readonly number[]) => values.map((v) => (Number.isFinite(v) ? v * scale : null));
    const ghost = { low: spread(found, scaled(found.min)), high: spread(found, scaled(found.max)) };
    if (line.smooth !== true) {
      return { label: line.label, color: line.color, values: spread(found, scaled(found.mean)), dots: line.dots ?? false, ...(found.bucketSteps > 1 && !line.dots ? ghost : {}) };
    }
    const curve = smooth(found.mean.map((v) => v * scale), weight);
    return { label: line.label, color: line.color, values: spread(found, curve), raw: spread(found, scaled(found.mean)), dots: false, ...ghost };
  });
  const broken = present.flatMap(({ found }) => found.steps.filter((_, i) => !Number.isFinite(found.mean[i]!)));
  return { id: rule.id, title: rule.title, unit: rule.unit, x, lines, clip: rule.clip ?? false, zero: rule.zero ?? false, format: rule.format, broken };
}

export interface YRange {
  readonly low: number;
  readonly high: number;
  /** The highest value that is not drawn, and where. */
  readonly above: { readonly x: number; readonly value: number } | null;
}

const WARM_UP = 0.04;

/** The y scale over the visible part: 1st to 99th percentile after warm-up where the chart clips, else all of it. */
export function yRange(model: ChartModel, from: number, to: number, reveal: boolean): YRange | null {
  const inside = (column: Column, start: number) => column.filter((v, i): v is number => typeof v === "number" && model.x[i]! >= start && model.x[i]! <= to);
  const columns = model.lines.map((line) => line.values);
  const all = columns.flatMap((column) => inside(column, from));
  if (all.length === 0) {
    return null;
  }
  const full = [Math.min(...all), Math.max(...all)] as const;
  if (!model.clip || reveal) {
    return { ...pad(model.zero ? Math.min(0, full[0]) : full[0], full[1]), above: null };
  }
  const settled = columns.flatMap((column) => inside(column, from + (to - from) * WARM_UP));
  const [low, high] = quantiles(settled.length > 8 ? settled : all, settled.length > 8 ? [0, 0.99] : [0, 1])!;
  const range = pad(low!, high!);
  const highest = full[1] > range.high ? highestAt(model, full[1]) : null;
  return { ...range, above: highest };
}

function highestAt(model: ChartModel, value: number): YRange["above"] {
  for (const line of model.lines) {
    const i = line.values.indexOf(value);
    if (i >= 0) {
      return { x: model.x[i]!, value };
    }
  }
  return null;
}

function pad(low: number, high: number): { low: number; high: number } {
  const span = high - low || Math.abs(high) * 0.1 || 1;
  const bottom = low >= 0 && low - span * 0.08 < 0 ? 0 : low - span * 0.08;
  return { low: bottom, high: high + span * 0.08 };
}

export interface Marks {
  /** Hatched stretches without a card, time axis only. */
  readonly gaps: readonly Span[];
  /** Alternate ground per attempt, step axis only. */
  readonly grounds: readonly Span[];
  readonly moves: readonly { readonly x: number; readonly label: string; readonly sub: string }[];
  readonly checkpoints: readonly { readonly x: number; readonly kept: boolean }[];
}

const GAP_MS = 2000;

/** Where attempts began, where nothing trained, and where checkpoints lie. */
export function marksOf(attempts: readonly AttemptView[], checkpoints: readonly CheckpointView[], axis: Axis, end: number): Marks {
  const ordered = [...attempts].sort((a, b) => a.number - b.number).filter((a) => a.first_step_at);
  const at = (a: AttemptView) => (axis === "step" ? a.first_step : Date.parse(a.first_step_at!) / 1000);
  const gaps: Span[] = [];
  const moves: Marks["moves"][number][] = [];
  ordered.forEach((attempt, i) => {
    const before = ordered[i - 1];
    if (before === undefined) {
      return;
    }
    const moved = before.device !== attempt.device;
    moves.push({ x: at(attempt), label: moved ? `${before.device} to ${attempt.device}` : "resumed", sub: moved ? "" : attempt.device });
    const from = Date.parse(before.ended_at ?? attempt.first_step_at!);
    const to = Date.parse(attempt.first_heartbeat_at ?? attempt.first_step_at!);
    if (axis === "time" && to - from > GAP_MS) {
      gaps.push([from / 1000, to / 1000]);
    }
  });
  const grounds = axis === "time" ? [] : ordered.flatMap((attempt, i): Span[] => (i % 2 === 1 ? [[at(attempt), ordered[i + 1] ? at(ordered[i + 1]!) : end]] : []));
  const marks = checkpoints.filter((c) => c.status === "kept" || c.status === "removed").map((c) => ({ x: axis === "step" ? c.step : Date.parse(c.created_at) / 1000, kept: c.status === "kept" }));
  return { gaps, grounds, moves, checkpoints: marks };
}

/** A chart in a sentence, for readers. */
export function chartSummary(model: ChartModel): string {
  const parts = model.lines.map((line) => {
    const values = line.values.filter((v): v is number => typeof v === "number");
    return values.length === 0 ? "" : `${line.label} from ${model.format(values[0]!)} to ${model.format(values.at(-1)!)}, least ${model.format(Math.min(...values))}`;
  });
  return `${model.title}${model.unit === "" ? "" : ` in ${model.unit}`}: ${parts.filter((p) => p !== "").join("; ") || "no points yet"}.`;
}

/** Axis numbers for steps: 6000 → "6k", 2750 → "2.75k". */
export function stepLabel(step: number): string {
  const [size, letter] = step >= 1e6 ? [1e6, "M"] : [1e3, "k"];
  return step >= 1000 && step % (size / 100) === 0 ? `${step / size}${letter}` : String(step);
}
