import type { ComparedRun, CompareAxis, Comparison } from "../api/types";
import type { ChartLine, ChartModel, Column } from "./charts";
import { plain } from "./format";
import { smooth } from "./smoothing";

export const AXES: readonly { readonly value: CompareAxis; readonly label: string; readonly unit: string }[] = [
  { value: "step", label: "Step", unit: "steps" },
  { value: "tokens", label: "Tokens", unit: "tokens" },
  { value: "time", label: "Time", unit: "seconds of training" },
  { value: "energy", label: "Energy", unit: "watt-hours" },
];

/** Colours of the series palette; more runs begin with the first again. */
const COLORS = 10;

export function colorOf(index: number): number {
  return (index % COLORS) + 1;
}

/** "validation_loss" → "validation loss". */
export function metricTitle(metric: string): string {
  const words = metric.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** One line a run over a common axis. Evaluations are few and drawn as they are; what comes each step is smoothed over its own points. */
export function comparisonChart(comparison: Comparison, weight: number): ChartModel {
  const curves = comparison.runs.map((run) => ({
    run,
    at: run.curve.at.map(Number),
    values: run.curve.mean.map(Number).map((value) => (Number.isFinite(value) ? value : null)),
  }));
  const x = [...new Set(curves.flatMap(({ at }) => at))].sort((a, b) => a - b);
  const index = new Map(x.map((value, i) => [value, i]));
  const each = !comparison.metric.startsWith("validation_");
  const lines = curves.flatMap(({ run, at, values }, i): ChartLine[] => {
    if (at.length === 0) {
      return [];
    }
    const drawn = each ? smooth(values.map((value) => value ?? Number.NaN), weight) : values;
    const column: Column = new Array<number | null | undefined>(x.length).fill(undefined);
    at.forEach((place, k) => { column[index.get(place)!] = drawn[k] ?? null; });
    return [{ label: `r-${run.number}`, color: colorOf(i), values: column, dots: !each }];
  });
  const unit = AXES.find((axis) => axis.value === comparison.axis)?.unit ?? "";
  return { id: "compare", title: metricTitle(comparison.metric), unit: `over ${unit}`, x, lines, clip: true, zero: false, format: plain, broken: [] };
}

/** A value of a spec as a person would write it; "–" where a run has no such field. */
export function valueWords(value: unknown): string {
  if (value === null || value === undefined) {
    return "–";
  }
  return typeof value === "number" ? plain(value) : typeof value === "object" ? JSON.stringify(value) : String(value) || "empty";
}

/** The place in the list of the run with the best value; null while none has one. */
export function bestOf(comparison: Comparison): number | null {
  const values = comparison.runs.map((run) => (run.best === null || run.best === undefined ? Number.NaN : Number(run.best.value)));
  const known = values.filter((value) => Number.isFinite(value));
  return known.length === 0 ? null : values.indexOf(comparison.maximise ? Math.max(...known) : Math.min(...known));
}

/** "step 500, checkpoint before it at 480". */
export function bestWords(run: ComparedRun): string {
  if (run.best === null || run.best === undefined) {
    return "no value yet";
  }
  const kept = run.checkpoint;
  const checkpoint = kept === null || kept === undefined ? "no checkpoint kept" : kept.where === "at" ? "checkpoint there" : `checkpoint ${kept.where} it at ${kept.step}`;
  return `step ${run.best.step}, ${checkpoint}`;
}
