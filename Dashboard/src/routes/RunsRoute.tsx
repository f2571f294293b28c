import "../theme/runs.css";
import { Button } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useCallback, useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { useLive } from "../api/live";
import { useModels } from "../api/pool";
import { useRunAction } from "../api/runs";
import type { RunVerb } from "../api/runs";
import type { RunSummary } from "../api/types";
import { BulkBar } from "../components/BulkBar";
import { ConfirmCancel } from "../components/ConfirmCancel";
import { NoMatch, RunsSkeleton } from "../components/ListStates";
import { offWords, Problem } from "../components/Notices";
import { RunFilters } from "../components/RunFilters";
import { RunsPhone } from "../components/RunsPhone";
import { RunsTable } from "../components/RunsTable";
import { clockSeconds } from "../model/format";
import { filterWords } from "../model/runs";
import { FirstStart } from "./FirstStart";
import { useKeys } from "./keys";
import { useRunFilter, useRunList } from "./runsState";
import { useChanged, useNow } from "./time";

/** `/runs`: everything the pool trains, waits for and has finished. */
export function RunsRoute() {
  const navigate = useNavigate();
  const phone = useMediaQuery("(max-width: 759px)") ?? false;
  const { filter, set } = useRunFilter();
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [inside, setInside] = useState(false);
  const list = useRunList(filter, !phone && (inside || selected.size > 0));
  const [shownAnyway, setShownAnyway] = useState(0);
  const { connection } = useLive();
  const action = useRunAction();
  const [cancelling, setCancelling] = useState<readonly RunSummary[]>([]);
  const [focus, setFocus] = useState<string | null>(null);
  const last = useRef<string | null>(null);
  const search = useRef<HTMLInputElement>(null);
  const families = useModels().data?.families.map((f) => f.name) ?? [];
  const now = useNow(5000);
  const rows = [...list.sections.training, ...list.sections.waiting, ...list.sections.finished];
  const changed = useChanged(rows);
  useEffect(() => { setInside(false); }, [shownAnyway]);

  const open = useCallback((id: string) => void navigate(`/runs/${id}/overview`), [navigate]);
  const select = (id: string, range: boolean) => {
    const next = new Set(selected);
    const from = rows.findIndex((run) => run.id === last.current);
    const to = rows.findIndex((run) => run.id === id);
    if (range && from >= 0) {
      rows.slice(Math.min(from, to), Math.max(from, to) + 1).forEach((run) => next.add(run.id));
    } else if (!next.delete(id)) {
      next.add(id);
    }
    last.current = id;
    setSelected(next);
  };
  const move = (by: number) => {
    const at = rows.findIndex((run) => run.id === focus);
    setFocus(rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + by))]?.id ?? null);
  };
  useKeys({
    "/": () => search.current?.focus(),
    j: () => move(1),
    k: () => move(-1),
    x: focus === null ? undefined : () => select(focus, false),
    Enter: focus === null ? undefined : () => open(focus),
    Escape: () => { setSelected(new Set()); setFocus(null); },
  });
  const apply = (verb: RunVerb, runs: readonly RunSummary[]) => {
    if (verb === "cancel") {
      setCancelling(runs);
    } else {
      runs.forEach((run) => action.mutate({ id: run.id, verb }));
      setSelected(new Set());
    }
  };
  const confirmCancel = () => {
    cancelling.forEach((run) => action.mutate({ id: run.id, verb: "cancel" }));
    setCancelling([]);
    setSelected(new Set());
  };

  const hidden = filterWords(filter);
  const bare = !list.loading && rows.length === 0 && list.error === null;
  if (bare && hidden.length === 0) {
    return <FirstStart />;
  }
  const clearLast = () => set(({ state: "state", model: "model", text: "q" } as const)[hidden.at(-1)!.key], "");
  return (
    <>
      <div className="page-head">
        <h1>Runs</h1>
        {phone && <span className="dim small">{list.sections.training.length} training, {list.sections.waiting.length} waiting</span>}
      </div>
      <RunFilters text={filter.text} states={filter.states} family={filter.family} families={families} search={search}
        onText={(text) => set("q", text)} onStates={(states) => set("state", states.join(","))} onFamily={(family) => set("model", family)} />
      {list.error && <Problem title="The list did not arrive" words={rows.length > 0 ? `What you see is from ${clockSeconds(list.readAt)}.` : list.error.message} onRetry={list.retry} />}
      {action.error && <Problem title="That was not done" words={action.error.message} />}
      {list.changes > 0 && <div className="held"><button onClick={() => { setSelected(new Set()); setShownAnyway((n) => n + 1); }}>{list.changes} {list.changes === 1 ? "change" : "changes"}, show</button></div>}
      {list.loading && rows.length === 0 && list.error === null && <RunsSkeleton />}
      {bare && <NoMatch words={hidden.map((w) => w.words)} onClear={clearLast} last={hidden.at(-1)?.key ?? "text"} />}
      {rows.length > 0 && (phone
        ? <RunsPhone sections={list.sections} notes={list.notes} now={now} onEnd={list.more} />
        : (
          <div onPointerEnter={() => setInside(true)} onPointerLeave={() => setInside(false)}>
            <RunsTable sections={list.sections} notes={list.notes} now={now} selected={selected} focus={focus} changed={changed}
              onSelect={select} onSelectAll={(on) => setSelected(new Set(on ? rows.map((run) => run.id) : []))} onOpen={open} onEnd={list.more} />
          </div>
        ))}
      {selected.size > 0 && <BulkBar runs={rows.filter((run) => selected.has(run.id))} off={offWords(connection)} onVerb={apply} onClear={() => setSelected(new Set())} />}
      <ConfirmCancel runs={cancelling} onKeep={() => setCancelling([])} onCancel={confirmCancel} />
      {phone && rows.length > 0 && list.sections.finished.length < list.notes.finished.total && <Button fullWidth onClick={list.more}>Show more</Button>}
    </>
  );
}
