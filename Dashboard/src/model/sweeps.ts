import type { SweepDetail, SweepField, SweepRequest, SweepSummary, TrialView } from "../api/types";
import { count, plain, plural } from "./format";

/** One upright line of the parallel coordinates. */
export interface Axis {
  /** Path of the field; "" is the result. */
  readonly field: string;
  readonly title: string;
  readonly note: string;
  readonly ticks: readonly { readonly at: number; readonly words: string }[];
  /** Where a trial crosses it, 0 at the foot to 1 at the head; null = it does not. */
  at(trial: TrialView): number | null;
  /** Whether only its ticks are values. */
  readonly isList: boolean;
  /** What stands at a place of it. */
  words(at: number): string;
}

/** A part of one axis that trials are narrowed to. */
export interface Brush {
  readonly field: string;
  readonly low: number;
  readonly high: number;
}

/** The last result; null while there is none. */
export function resultOf(trial: TrialView): number | null {
  return trial.results.at(-1)?.value ?? null;
}

/** The field's axes in the order of the request, the result's at the end. */
export function axesOf(sweep: SweepDetail): Axis[] {
  return [...sweep.request.space.map((field) => fieldAxis(field, sweep)), resultAxis(sweep)];
}

function fieldAxis(field: SweepField, sweep: SweepDetail): Axis {
  const title = field.field.split(".").at(-1) ?? field.field;
  if (field.values) {
    const places = new Map(field.values.map((value, i) => [JSON.stringify(value), field.values!.length === 1 ? 0.5 : i / (field.values!.length - 1)]));
    const ticks = [...places].map(([value, at]) => ({ at, words: value.replace(/^"|"$/g, "") }));
    return {
      field: field.field, title, note: "", ticks, isList: true,
      words: (at) => ticks.reduce((near, tick) => (Math.abs(tick.at - at) < Math.abs(near.at - at) ? tick : near)).words,
      at: (trial) => places.get(JSON.stringify(trial.setting[field.field])) ?? null,
    };
  }
  const logs = field.kind === "log" || field.kind === "log_integer";
  const values = sweep.trials.map((trial) => Number(trial.setting[field.field])).filter(Number.isFinite);
  const [low, high] = [field.min ?? Math.min(...values), field.max ?? Math.max(...values)];
  return { ...scale(low, high, logs, (trial) => (trial.setting[field.field] === undefined ? null : Number(trial.setting[field.field]))), field: field.field, title, note: logs ? "log" : "" };
}

/** Good results are at the head, whichever way is better. */
function resultAxis(sweep: SweepDetail): Axis {
  const values = sweep.trials.map(resultOf).filter((value) => value !== null);
  const [low, high] = values.length === 0 ? [0, 1] : [Math.min(...values), Math.max(...values)];
  const up = scale(low, high, false, resultOf);
  const down = { isList: false, words: (at: number) => up.words(1 - at), ticks: up.ticks.map((tick) => ({ ...tick, at: 1 - tick.at })), at: (trial: TrialView) => flip(up.at(trial)) };
  return { ...(sweep.summary.maximise ? up : down), field: "", title: metricWords(sweep.summary.metric), note: `last rung, ${sweep.summary.maximise ? "more" : "less"} is better` };
}

function flip(at: number | null): number | null {
  return at === null ? null : 1 - at;
}

function scale(low: number, high: number, logs: boolean, value: (trial: TrialView) => number | null): Pick<Axis, "ticks" | "at" | "words" | "isList"> {
  const [from, to] = logs ? [Math.log(low), Math.log(high)] : [low, high];
  const place = (x: number) => (to === from ? 0.5 : Math.min(1, Math.max(0, ((logs ? Math.log(x) : x) - from) / (to - from))));
  const words = (at: number) => { const x = from + at * (to - from); return plain(Number((logs ? Math.exp(x) : x).toPrecision(3))); };
  return {
    words, isList: false,
    ticks: (to === from ? [0.5] : [0, 0.25, 0.5, 0.75, 1]).map((at) => ({ at, words: words(at) })),
    at: (trial) => { const x = value(trial); return x === null ? null : place(x); },
  };
}

/** Whether a trial is within every brush. */
export function isWithin(trial: TrialView, axes: readonly Axis[], brushes: readonly Brush[]): boolean {
  return brushes.every((brush) => {
    const at = axes.find((axis) => axis.field === brush.field)?.at(trial) ?? null;
    return at !== null && at >= brush.low && at <= brush.high;
  });
}

/** What a brush narrows to: "lr 1e-3 to 2e-3"; of a list, the values in it. */
export function brushWords(brush: Brush, axis: Axis): string {
  const within = axis.ticks.filter((tick) => tick.at >= brush.low && tick.at <= brush.high).map((tick) => tick.words);
  return `${axis.title} ${axis.isList ? within.join(", ") || "none" : `${axis.words(brush.low)} to ${axis.words(brush.high)}`}`;
}

/** Brushes as the address has them: "optimizer.lr:0.2-0.6", comma separated; what cannot be read is left out. */
export function readBrushes(text: string): Brush[] {
  return text.split(",").flatMap((part) => {
    const found = /^(.*):(\d(?:\.\d+)?)-(\d(?:\.\d+)?)$/.exec(part);
    return found ? [{ field: found[1]!, low: Number(found[2]), high: Number(found[3]) }] : [];
  });
}

export function writeBrushes(brushes: readonly Brush[]): string {
  return brushes.map((brush) => `${brush.field}:${brush.low.toFixed(3)}-${brush.high.toFixed(3)}`).join(",");
}

/** How a trial's line is drawn. */
export type LineKind = "best" | "running" | "promoted" | "stopped";

export function lineKind(trial: TrialView, summary: SweepSummary): LineKind {
  return trial.number === summary.best_trial ? "best"
    : trial.status === "training" ? "running"
    : trial.results.length > 1 || trial.status === "finished" ? "promoted"
    : "stopped";
}

/** Points of a trial's curve over the rungs in a box of 1 by 1, foot at 0: steps by their logarithm, results linear. */
export function rungCurve(trial: TrialView, rungs: readonly number[], low: number, high: number): [number, number][] {
  const last = rungs.at(-1) ?? 1;
  const first = rungs[0] ?? 1;
  const span = Math.log(last / first) || 1;
  return trial.results.map(({ step, value }) => [rungs.length === 1 ? 0.5 : Math.log(step / first) / span, high === low ? 0.5 : (value - low) / (high - low)]);
}

/** The best first; trials without a result by number after them. */
export function ordered(trials: readonly TrialView[], maximise: boolean): TrialView[] {
  const rank = (trial: TrialView) => trial.results.length;
  return [...trials].sort((a, b) => rank(b) - rank(a) || (maximise ? -1 : 1) * ((resultOf(a) ?? 0) - (resultOf(b) ?? 0)) || a.number - b.number);
}

const STATUS: Readonly<Record<TrialView["status"], string>> = { training: "Training", waiting: "Waits at its rung", finished: "Finished", failed: "Out", stopped: "Stopped" };

export function statusWord(trial: TrialView): string {
  return STATUS[trial.status];
}

export function metricWords(metric: string): string {
  return metric.replaceAll("_", " ");
}

/** Share of the steps of a full search that were not trained; null before anything was. */
export function savedShare(sweep: SweepDetail): number | null {
  const last = sweep.rungs.at(-1) ?? 0;
  const done = sweep.trials.reduce((sum, trial) => sum + (trial.step ?? 0), 0);
  return sweep.trials.length === 0 || last === 0 ? null : Math.max(0, 1 - done / (last * sweep.trials.length));
}

/** "TPE, ASHA by thirds, seed 31". */
export function methodWords(request: SweepRequest): string {
  const { method = "random", halving = "none", factor = 3, seed = 1337 } = request.search ?? {};
  const cut = halving === "none" || halving === null ? "no halving" : `${halving === "asha" ? "ASHA" : "Hyperband"}, one of ${factor ?? 3} goes on`;
  return `${method === "tpe" ? "TPE" : method ?? "random"}, ${cut}, seed ${seed ?? 1337}`;
}

/** "9 trials, about 420 k tokens". */
export function sizeWords(trials: number, tokens: number): string {
  return `${plural(trials, "trial")}, about ${count(tokens)} tokens`;
}

/** What a new sweep begins with: the run with a search over its learning rate. */
export function startSweep(spec: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return {
    name: `${String(spec["name"] ?? "run")}-sweep`,
    spec,
    space: [{ field: "optimizer.lr", kind: "log", min: 0.0001, max: 0.01 }],
    search: { method: "tpe", halving: "asha", seed: 1337 },
    objective: { metric: "validation_loss" },
    limits: { trials: 27 },
    parallel: 4,
  };
}
