import type { RunState } from "../api/types";
import { stateWord } from "../model/runs";

const TONES: Readonly<Record<RunState, readonly [string, string]>> = {
  running: ["var(--accent)", "var(--accent-soft)"],
  starting: ["var(--accent)", "var(--accent-soft)"],
  preempting: ["var(--accent)", "var(--accent-soft)"],
  pausing: ["var(--paused)", "var(--paused-soft)"],
  paused: ["var(--paused)", "var(--paused-soft)"],
  queued: ["var(--text-3)", "var(--sunken)"],
  cancelled: ["var(--text-3)", "var(--sunken)"],
  succeeded: ["var(--good)", "var(--good-soft)"],
  failed: ["var(--bad)", "var(--bad-soft)"],
};

/** The state in a word on its soft ground, with the card where one is at work. */
export function StatePill({ state, device }: { state: RunState; device?: string | null | undefined }) {
  const [color, background] = TONES[state];
  return <span className="pill" style={{ color, background }}>{device ? `${stateWord(state)} on ${device}` : stateWord(state)}</span>;
}
