import { useEffect, useRef, useState } from "react";
import type { RunState } from "../api/types";

const TINT_MS = 1200;

/** The clock, read again every `every` milliseconds. */
export function useNow(every: number): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), every);
    return () => window.clearInterval(timer);
  }, [every]);
  return now;
}

/** Runs whose state changed within the last 1.2 s. */
export function useChanged(runs: readonly { id: string; state: RunState }[]): ReadonlySet<string> {
  const states = useRef(new Map<string, RunState>());
  const [changed, setChanged] = useState<ReadonlySet<string>>(new Set());
  const key = runs.map((run) => `${run.id}${run.state}`).join();
  useEffect(() => {
    const news = runs.filter((run) => states.current.has(run.id) && states.current.get(run.id) !== run.state).map((run) => run.id);
    runs.forEach((run) => states.current.set(run.id, run.state));
    if (news.length === 0) {
      return undefined;
    }
    setChanged(new Set(news));
    const timer = window.setTimeout(() => setChanged(new Set()), TINT_MS);
    return () => window.clearTimeout(timer);
    // The key holds ids and states; other values do not matter here.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key]);
  return changed;
}
