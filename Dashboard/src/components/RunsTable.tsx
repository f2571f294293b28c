import { Checkbox } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";
import type { RunSummary } from "../api/types";
import { count } from "../model/format";
import type { SectionName, Sections } from "../model/runs";
import { RunRow } from "./RunRow";

export interface SectionNote { readonly total: number; readonly words: string }

interface Props {
  readonly sections: Sections;
  readonly notes: Readonly<Record<SectionName, SectionNote>>;
  readonly now: number;
  readonly selected: ReadonlySet<string>;
  readonly focus: string | null;
  readonly changed: ReadonlySet<string>;
  readonly onSelect: (id: string, range: boolean) => void;
  readonly onSelectAll: (on: boolean) => void;
  readonly onOpen: (id: string) => void;
  /** Called when the last rows come into view. */
  readonly onEnd: () => void;
}

type Item = { readonly kind: "section"; readonly name: SectionName } | { readonly kind: "run"; readonly run: RunSummary; readonly finished: boolean };

const NAMES: Readonly<Record<SectionName, string>> = { training: "Training", waiting: "Waiting", finished: "Finished" };

/** The list by state; only rows in view are in the page. */
export function RunsTable(props: Props) {
  const { sections, notes, now, selected, focus, changed, onSelect, onSelectAll, onOpen, onEnd } = props;
  const items = useMemo(() => flatten(sections), [sections]);
  const body = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => document.getElementById("main"),
    estimateSize: (i) => sizeOf(items[i]!),
    scrollMargin: body.current?.offsetTop ?? 140,
    overscan: 12,
    getItemKey: (i) => { const item = items[i]!; return item.kind === "run" ? item.run.id : item.name; },
  });
  useEffect(() => rows.measure(), [items, rows]);
  const last = rows.getVirtualItems().at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= items.length - 5) {
      onEnd();
    }
  }, [last, items.length, onEnd]);
  useEffect(() => {
    const at = items.findIndex((item) => item.kind === "run" && item.run.id === focus);
    if (at >= 0) {
      rows.scrollToIndex(at, { align: "auto" });
    }
    // Scrolls when the focus moves, not when rows change under it.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [focus]);
  const runs = items.filter((item) => item.kind === "run").length;
  return (
    <div className="runs" role="table" aria-label="Runs" aria-rowcount={runs}>
      <Head all={selected.size > 0 && selected.size >= runs} some={selected.size > 0} onSelectAll={onSelectAll} />
      <div className="runs-body" ref={body} role="rowgroup" style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map((v) => {
          const item = items[v.index]!;
          return (
            <div key={v.key} className="runs-item" style={{ transform: `translateY(${v.start - rows.options.scrollMargin}px)` }}>
              {item.kind === "section"
                ? <SectionRow name={item.name} note={notes[item.name]} />
                : <RunRow run={item.run} now={now} selected={selected.has(item.run.id)} focused={focus === item.run.id} changed={changed.has(item.run.id)} onSelect={onSelect} onOpen={onOpen} />}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function flatten(sections: Sections): Item[] {
  return (["training", "waiting", "finished"] as const).flatMap((name) =>
    sections[name].length === 0 ? [] : [{ kind: "section", name } as const, ...sections[name].map((run) => ({ kind: "run", run, finished: name === "finished" }) as const)]);
}

function sizeOf(item: Item): number {
  return item.kind === "section" ? 32 : item.finished ? 36 : 53;
}

function SectionRow({ name, note }: { name: SectionName; note: SectionNote }) {
  return (
    <div className="section-row" role="row">
      <span role="cell"><b className="strong">{NAMES[name]}</b> <span className="dim">&nbsp;{count(note.total)}</span></span>
      <span role="cell" className="dim" style={{ marginLeft: "auto" }}>{note.words}</span>
    </div>
  );
}

function Head({ all, some, onSelectAll }: { all: boolean; some: boolean; onSelectAll: (on: boolean) => void }) {
  return (
    <div role="rowgroup" className="runs-head run-grid">
      <div role="row" style={{ display: "contents" }}>
        <div role="columnheader"><Checkbox aria-label="Select all that are shown" checked={all} indeterminate={some && !all} onChange={(e) => onSelectAll(e.currentTarget.checked)} /></div>
        <div role="columnheader" style={{ paddingLeft: 24 }}>Run</div>
        <div role="columnheader">Progress</div>
        <div role="columnheader" className="right">Loss</div>
        <div role="columnheader" className="speed right">Tokens/s</div>
        <div role="columnheader">Device</div>
        <div role="columnheader">Ends</div>
        <div role="columnheader" className="by">By</div>
      </div>
    </div>
  );
}
