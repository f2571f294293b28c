import type { RunState } from "../api/types";
import { stateWord } from "../model/runs";

export type Glyph = RunState | "free" | "asleep" | "warning";

const COLORS: Readonly<Record<Glyph, string>> = {
  running: "var(--accent)", starting: "var(--accent)", preempting: "var(--accent)", pausing: "var(--paused)", paused: "var(--paused)",
  queued: "var(--text-3)", cancelled: "var(--text-3)", asleep: "var(--text-3)",
  succeeded: "var(--good)", free: "var(--good)", failed: "var(--bad)", warning: "var(--warn)",
};

interface Props {
  readonly state: Glyph;
  /** 0..1; the ring of a training run. */
  readonly progress?: number;
  readonly title?: string;
}

/** A shape per state, so that colour is never alone. */
export function StateGlyph({ state, progress = 0, title }: Props) {
  const words = title ?? glyphWord(state);
  return (
    <svg width="15" height="15" viewBox="0 0 16 16" fill="none" role="img" aria-label={words} style={{ color: COLORS[state], flex: "none" }}>
      <title>{words}</title>
      <Shape state={state} progress={progress} />
    </svg>
  );
}

function glyphWord(state: Glyph): string {
  return state === "free" ? "Free" : state === "asleep" ? "Not reachable" : state === "warning" ? "Warning" : stateWord(state);
}

function Shape({ state, progress }: { state: Glyph; progress: number }) {
  const line = { stroke: "currentColor", strokeWidth: 1.6, strokeLinecap: "round", strokeLinejoin: "round" } as const;
  switch (state) {
    case "running":
    case "preempting":
      return (
        <>
          <circle cx="8" cy="8" r="6" stroke="currentColor" strokeWidth="2.4" opacity="0.25" />
          <circle cx="8" cy="8" r="6" stroke="currentColor" strokeWidth="2.4" strokeDasharray={`${Math.max(0.04, progress) * 37.7} 37.7`} transform="rotate(-90 8 8)" />
          <circle cx="8" cy="8" r="2" fill="currentColor" />
        </>
      );
    case "starting":
      return (
        <>
          <circle cx="8" cy="8" r="6" stroke="currentColor" strokeWidth="2" strokeDasharray="2.2 2.500" />
          <circle cx="8" cy="8" r="1.8" fill="currentColor" />
        </>
      );
    case "queued":
      return <><circle cx="8" cy="8" r="6.2" {...line} /><path d="M8 4.600V8l2.200 1.400" {...line} /></>;
    case "paused":
    case "pausing":
      return <><circle cx="8" cy="8" r="6.2" {...line} /><path d="M6.500 6v4M9.500 6v4" {...line} /></>;
    case "succeeded":
      return <><circle cx="8" cy="8" r="7" fill="currentColor" /><path d="m5.200 8.200 2 2 3.800-4" stroke="var(--surface)" strokeWidth="1.700" strokeLinecap="round" strokeLinejoin="round" /></>;
    case "failed":
      return <><path d="M5.300 1h5.400L15 5.300v5.400L10.700 15H5.300L1 10.700V5.300Z" fill="currentColor" /><path d="M8 4.500v4.200M8 11.300v.1" stroke="var(--surface)" strokeWidth="1.800" strokeLinecap="round" /></>;
    case "cancelled":
      return <><circle cx="8" cy="8" r="6.2" {...line} /><path d="m4 12 8-8" {...line} /></>;
    case "free":
      return <circle cx="8" cy="8" r="6" stroke="currentColor" strokeWidth="2" />;
    case "asleep":
      return <path d="M13.500 9.600A6 6 0 1 1 6.400 2.500a4.800 4.800 0 0 0 7.100 7.100Z" {...line} />;
    case "warning":
      return <><path d="M8 2 15 14H1Z" {...line} /><path d="M8 6.500v3.200M8 11.800v.1" {...line} /></>;
  }
}
