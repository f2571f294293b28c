import type { AttemptView, CheckpointView, LogEntry, RunNote, RunSummary } from "../api/types";
import { clock, count, duration, gigabytes, NB, plural } from "./format";
import { isOver } from "./runs";

/** A part of the strip between two moments, milliseconds since 1970. */
export interface Block {
  readonly kind: "attempt" | "gap" | "rest";
  readonly from: number;
  readonly to: number;
  readonly title: string;
  readonly sub: string;
  readonly ended: "live" | "stopped" | "lost" | "failed" | "done";
}

export interface Strip {
  readonly from: number;
  readonly to: number;
  readonly now: number;
  readonly live: boolean;
  readonly blocks: readonly Block[];
  readonly marks: readonly { readonly at: number; readonly step: number; readonly kept: boolean; readonly status: string }[];
  readonly ticks: readonly { readonly at: number; readonly label: string }[];
  readonly summary: string;
}

const ENDED: Readonly<Record<AttemptView["state"], Block["ended"]>> = {
  assigned: "live", starting: "live", running: "live", stopping: "live",
  succeeded: "done", failed: "failed", stopped: "stopped", lost: "lost",
};

/** Lays attempts, the gaps between them and the rest to come on one line of time. */
export function layStrip(run: RunSummary, attempts: readonly AttemptView[], checkpoints: readonly CheckpointView[], now: number): Strip | null {
  const ordered = [...attempts].sort((a, b) => a.number - b.number);
  const first = ordered[0];
  if (first === undefined) {
    return null;
  }
  const over = isOver(run.state);
  const blocks: Block[] = [];
  let waited = 0;
  let trained = 0;
  let end = startOf(first);
  for (const attempt of ordered) {
    const from = startOf(attempt);
    const to = attempt.ended_at ? Date.parse(attempt.ended_at) : now;
    if (blocks.length > 0 && from - end > 500) {
      waited += from - end;
      blocks.push({ kind: "gap", from: end, to: from, title: "waited", sub: duration((from - end) / 1000), ended: "done" });
    }
    const last = attempt.number === ordered.at(-1)!.number && !over ? Math.max(run.step, attempt.last_step) : attempt.last_step;
    const steps = `steps ${count(attempt.first_step)} – ${count(Math.max(attempt.first_step, last))}`;
    blocks.push({ kind: "attempt", from, to: Math.max(to, from), title: `${attempt.number} ${attempt.device}, ${shortModel(attempt.device_model)}`, sub: steps, ended: ENDED[attempt.state] });
    trained += Math.max(0, to - from);
    end = Math.max(to, from);
  }
  const left = run.seconds_left ?? null;
  let edge = end;
  if (!over && left !== null && run.state === "running") {
    const finish = now + left * 1000;
    edge = Math.min(finish, end + Math.max(end - startOf(first), 60_000) * 0.3);
    blocks.push({ kind: "rest", from: end, to: edge, title: `to ${count(run.total_steps)} at ${clock(finish, now)}`, sub: "", ended: "live" });
  }
  const from = startOf(first);
  const to = Math.max(edge, over ? end : now, from + 1000);
  const marks = checkpoints.map((c) => ({ at: Date.parse(c.created_at), step: c.step, kept: c.status === "kept", status: c.status }));
  const summary = `${plural(ordered.length, "attempt")}, ${duration(trained / 1000)} on a card` + (waited > 1000 ? `, ${duration(waited / 1000)} waiting for one` : "");
  return { from, to, now, live: !over, blocks, marks, ticks: timeTicks(from, to, now), summary };
}

/** Part of what a trainer's log says where a resumed run leaves the bits of an unbroken one. */
export const RESUME_WORDS = "The checkpoint's ";

/** A run's notes and what its log says of resumes, by time; ids of log lines are made to differ from those of notes. */
export function withResumes(notes: readonly RunNote[], lines: readonly LogEntry[]): RunNote[] {
  const resumes = lines.filter((line) => line.text.startsWith(RESUME_WORDS)).map((line): RunNote => ({ id: -line.id, at: line.at, kind: "resumed", text: line.text, step: null }));
  return [...notes, ...resumes].sort((a, b) => Date.parse(a.at) - Date.parse(b.at) || a.id - b.id);
}

/** What the newest attempt that says so was forecast to hold of its card, and what it held: "forecast 9.9 GB, used at most 10 GB". */
export function memoryWords(attempts: readonly AttemptView[]): string {
  const newest = [...attempts].sort((a, b) => b.number - a.number).find((a) => isBytes(a.forecast_bytes) || isBytes(a.peak_bytes));
  const forecast = isBytes(newest?.forecast_bytes) ? [`forecast ${gigabytes(newest.forecast_bytes)}${NB}GB`] : [];
  const used = isBytes(newest?.peak_bytes) ? [`used at most ${gigabytes(newest.peak_bytes)}${NB}GB`] : [];
  return [...forecast, ...used].join(", ");
}

function isBytes(value: number | null | undefined): value is number {
  return value !== null && value !== undefined;
}

/** "NVIDIA GeForce RTX 3090" → "RTX 3090". */
export function shortModel(model: string): string {
  return model.replace(/^(NVIDIA|AMD|Intel\(R\))\s+/, "").replace(/^(GeForce|Radeon)\s+/, "").replace(/\((R|TM)\)/g, "").trim();
}

function startOf(attempt: AttemptView): number {
  return Date.parse(attempt.first_heartbeat_at ?? attempt.assigned_at);
}

const STEPS_S = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800];

/** Round moments of the reader's clock, at most nine. */
export function timeTicks(from: number, to: number, now: number): { at: number; label: string }[] {
  const step = (STEPS_S.find((s) => (to - from) / 1000 / s <= 9) ?? 1_209_600) * 1000;
  const shift = new Date(from).getTimezoneOffset() * 60_000;
  const ticks: { at: number; label: string }[] = [];
  for (let at = Math.ceil((from - shift) / step) * step + shift; at <= to; at += step) {
    ticks.push({ at, label: step < 60_000 ? new Date(at).toLocaleTimeString("en-GB") : clock(at, now).replace(" ", NB) });
  }
  return ticks;
}
