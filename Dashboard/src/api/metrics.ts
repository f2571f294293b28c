import { useEffect, useState } from "react";
import { extendAll, extendFrom, fromWire } from "../model/series";
import type { Series } from "../model/series";
import { query, request } from "./client";
import type { MetricSeries } from "./types";

/** At most 2 points per pixel of the widest chart. */
const POINTS = 2000;
/** Past this many points a key is read again, in coarser buckets. */
const MOST = POINTS * 2;
const RETRY_MS = 8000;

export interface MetricsState {
  readonly series: readonly Series[];
  readonly status: "loading" | "ready" | "error";
  readonly error: string;
  retry(): void;
}

/**
 * All series of a run, extended from the last bucket each time `head` (the run's last step) grows. Read anew when
 * `epoch` changes: another attempt repeats steps, or the connection was lost.
 */
export function useMetrics(run: string, head: number, epoch: string): MetricsState {
  const [state, setState] = useState<{ of: string; series: readonly Series[]; status: MetricsState["status"]; error: string }>(
    { of: "", series: [], status: "loading", error: "" });
  const [turn, setTurn] = useState(0);
  const of = `${run} ${epoch}`;

  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    const whole = state.of !== of || state.series.length === 0 || state.series.some((s) => s.steps.length > MOST);
    const from = whole ? undefined : Math.min(...state.series.filter((s) => s.key === "loss").map(extendFrom), head);
    void (async () => {
      try {
        const answer = await request<{ series: MetricSeries[] }>(`/runs/${run}/metrics${query({ from, points: POINTS })}`, { signal: abort.signal });
        const fetched = answer.series.map(fromWire);
        setState((old) => ({ of, series: whole ? fetched : extendAll(old.series, fetched), status: "ready", error: "" }));
      } catch (cause) {
        if (!abort.signal.aborted) {
          setState((old) => ({ ...old, status: old.series.length > 0 && old.of === of ? "ready" : "error", error: (cause as Error).message }));
          timer = window.setTimeout(() => setTurn((t) => t + 1), RETRY_MS);
        }
      }
    })();
    return () => {
      abort.abort();
      window.clearTimeout(timer);
    };
    // The state is read as it is when the head moves; it is not a reason to fetch.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [run, of, head, turn]);

  return { series: state.series, status: state.status, error: state.error, retry: () => setTurn((t) => t + 1) };
}
