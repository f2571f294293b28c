import { useCallback, useMemo, useRef } from "react";
import { useSearchParams } from "react-router";
import { useLive } from "../api/live";
import { useRunPages } from "../api/runs";
import type { RunState, RunSummary } from "../api/types";
import { short } from "../model/format";
import { heldOrder, intoSections, SECTION_STATES, stateWord } from "../model/runs";
import type { ListFilter, SectionName, Sections } from "../model/runs";
import type { SectionNote } from "../components/RunsTable";

/** Filters of the list, kept in the address. */
export function useRunFilter(): { filter: ListFilter; set: (key: "state" | "model" | "q", value: string) => void } {
  const [params, setParams] = useSearchParams();
  const state = params.get("state") ?? "";
  const family = params.get("model") ?? "";
  const text = params.get("q") ?? "";
  const filter = useMemo(() => ({ states: state.split(",").filter(isState), family, text }), [state, family, text]);
  const set = useCallback((key: string, value: string) => {
    setParams((old) => {
      const next = new URLSearchParams(old);
      if (value === "") {
        next.delete(key);
      } else {
        next.set(key, value);
      }
      return next;
    }, { replace: true });
  }, [setParams]);
  return { filter, set };
}

function isState(word: string): word is RunState {
  return Object.values(SECTION_STATES).some((states) => (states as readonly string[]).includes(word));
}

export interface RunList {
  readonly sections: Sections;
  readonly notes: Readonly<Record<SectionName, SectionNote>>;
  readonly changes: number;
  readonly loading: boolean;
  readonly error: Error | null;
  readonly readAt: number;
  readonly more: () => void;
  readonly retry: () => void;
}

/** Live and waiting runs whole, finished ones by pages, all overlaid with the stream; in the shown order while `held`. */
export function useRunList(filter: ListFilter, held: boolean): RunList {
  const { state: told } = useLive();
  const part = (names: readonly SectionName[]) => {
    const all = names.flatMap((name) => SECTION_STATES[name]);
    return filter.states.length === 0 ? all : all.filter((s) => filter.states.includes(s));
  };
  const liveStates = part(["training", "waiting"]);
  const overStates = part(["finished"]);
  const current = useRunPages({ ...filter, states: liveStates }, liveStates.length > 0);
  const over = useRunPages({ ...filter, states: overStates }, overStates.length > 0);
  const read = useMemo(() => [
    ...(liveStates.length > 0 ? current.data?.pages ?? [] : []),
    ...(overStates.length > 0 ? over.data?.pages ?? [] : []),
  ].flatMap((page) => page.items), [current.data, over.data, liveStates.length, overStates.length]);
  const fresh = useMemo(() => intoSections(read, told.runs, filter), [read, told.runs, filter]);
  const shown = useRef(fresh);
  const hold = held ? heldOrder(shown.current, fresh) : { sections: fresh, changes: 0 };
  if (!held) {
    shown.current = fresh;
  }
  if (liveStates.length > 0 && current.hasNextPage && !current.isFetchingNextPage) {
    void current.fetchNextPage();
  }
  const total = Math.max(over.data?.pages[0]?.total ?? 0, fresh.finished.length);
  return {
    sections: hold.sections,
    changes: hold.changes,
    notes: notesOf(hold.sections, total),
    loading: (liveStates.length > 0 && current.isPending) || (overStates.length > 0 && over.isPending),
    error: current.error ?? over.error,
    readAt: Math.min(current.dataUpdatedAt || Infinity, over.dataUpdatedAt || Infinity),
    more: () => { if (over.hasNextPage && !over.isFetchingNextPage) { void over.fetchNextPage(); } },
    retry: () => { void current.refetch(); void over.refetch(); },
  };
}

function notesOf(sections: Sections, finished: number): Readonly<Record<SectionName, SectionNote>> {
  const speed = sections.training.reduce((sum, run) => sum + (run.tokens_per_second ?? 0), 0);
  const high = sections.waiting.find((run: RunSummary) => run.state === "queued");
  return {
    training: { total: sections.training.length, words: speed > 0 ? `${short(speed)} tok/s together` : "" },
    waiting: { total: sections.waiting.length, words: high ? `${high.name} is next` : stateWord("paused") },
    finished: { total: finished, words: "losses in nats/token" },
  };
}
