import { useEffect, useState } from "react";
import { query, request } from "./client";
import type { LogEntry, LogsResponse } from "./types";

const CHUNK = 1000;

export interface LogsState {
  readonly lines: readonly LogEntry[];
  readonly loading: boolean;
  readonly error: string;
}

/** The run's log, read forward in chunks; `signal` changes when there may be more. */
export function useLogs(run: string, signal: string): LogsState {
  const [state, setState] = useState<LogsState & { run: string }>({ run: "", lines: [], loading: true, error: "" });

  useEffect(() => {
    const abort = new AbortController();
    const old = state.run === run ? state.lines : [];
    void (async () => {
      let after = old.at(-1)?.id;
      let lines = old;
      try {
        for (;;) {
          const answer = await request<LogsResponse>(`/runs/${run}/logs${query({ after, limit: CHUNK })}`, { signal: abort.signal });
          const known = after ?? -1;
          const news = answer.lines.filter((line) => line.id > known);
          lines = news.length === 0 ? lines : [...lines, ...news];
          setState({ run, lines, loading: false, error: "" });
          if (news.length === 0 || answer.next === null || answer.next === undefined) {
            return;
          }
          after = lines.at(-1)?.id;
        }
      } catch (cause) {
        if (!abort.signal.aborted) {
          setState((s) => ({ ...s, loading: false, error: (cause as Error).message }));
        }
      }
    })();
    return () => abort.abort();
    // Lines already here are the starting point, not a reason to fetch.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [run, signal]);

  return state;
}

/** Lines of a run's log in which a text occurs, oldest first, at most a hundred; read again when `signal` changes. Empty until they came. */
export function useLogSearch(run: string, text: string, signal: string): readonly LogEntry[] {
  const [found, setFound] = useState<{ run: string; lines: readonly LogEntry[] }>({ run: "", lines: [] });
  useEffect(() => {
    const abort = new AbortController();
    request<LogsResponse>(`/runs/${run}/logs${query({ q: text, limit: 100 })}`, { signal: abort.signal })
      .then((answer) => setFound({ run, lines: answer.lines }), () => undefined); // Notes are an extra: the log tab says what is wrong.
    return () => abort.abort();
  }, [run, text, signal]);
  return found.run === run ? found.lines : [];
}
