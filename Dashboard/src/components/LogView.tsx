import { Button } from "@mantine/core";
import { IconActivity, IconChevronRight, IconDownload, IconSearch } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import type { RefObject } from "react";
import type { LogEntry } from "../api/types";
import { clockMillis, count } from "../model/format";
import { findLines, foldLog } from "../model/logFold";
import type { LogRow } from "../model/logFold";

interface Props {
  readonly name: string;
  readonly lines: readonly LogEntry[];
  readonly loading: boolean;
  readonly text: string;
  readonly onText: (text: string) => void;
  readonly search: RefObject<HTMLInputElement | null>;
}

const LINE = 21;

/** The log: follows its end until scrolled up, then says how many lines have come since. */
export function LogView({ name, lines, loading, text, onText, search }: Props) {
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const [warnings, setWarnings] = useState(false);
  const [follow, setFollow] = useState(true);
  const [seen, setSeen] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const found = useMemo(() => findLines(lines, text).filter((line) => !warnings || line.level === "warning" || line.level === "error"), [lines, text, warnings]);
  const rows = useMemo(() => foldLog(found, open, text === "" && !warnings), [found, open, text, warnings]);
  const list = useVirtualizer({ count: rows.length, getScrollElement: () => box.current, estimateSize: () => LINE, overscan: 30 });
  useEffect(() => {
    if (follow && rows.length > 0) {
      list.scrollToIndex(rows.length - 1, { align: "end" });
    }
  }, [rows.length, follow, list]);
  const onScroll = () => {
    const element = box.current!;
    const end = element.scrollHeight - element.scrollTop - element.clientHeight < LINE * 2;
    if (end !== follow) {
      setFollow(end);
      setSeen(lines.length);
    }
  };
  const bad = lines.filter((line) => line.level === "warning" || line.level === "error").length;
  const news = follow ? 0 : lines.length - seen;
  return (
    <>
      <div className="log-bar">
        <div className="search">
          <IconSearch size={15} stroke={1.6} aria-hidden />
          <input ref={search} value={text} aria-label="Find in the log" placeholder={`Find in ${count(lines.length)} lines`} onChange={(e) => onText(e.currentTarget.value)}
            onKeyDown={(e) => e.key === "Escape" && e.currentTarget.blur()} />
          <span className="kbd" aria-hidden>/</span>
        </div>
        {(text !== "" || warnings) && <span className="small soft" role="status">{count(found.length)} of {count(lines.length)} lines</span>}
        <button className={warnings ? "chip set" : "chip"} aria-pressed={warnings} onClick={() => setWarnings(!warnings)}>Warnings <b className={bad > 0 ? "bad" : ""}>{bad}</b></button>
        <span className="grow" />
        <Button leftSection={<IconDownload size={14} stroke={1.6} />} disabled={lines.length === 0} onClick={() => save(name, lines)}>Download</Button>
        <Button leftSection={<IconActivity size={14} stroke={1.6} />} aria-pressed={follow} style={follow ? { color: "var(--accent)" } : undefined} onClick={() => setFollow(!follow)}>
          {follow ? "Following" : news > 0 ? `${count(news)} new lines` : "Follow"}
        </Button>
      </div>
      <div className="panel log" ref={box} onScroll={onScroll} role="log" aria-label="Log" aria-live="off" tabIndex={0}>
        {rows.length === 0 && <p className="soft" style={{ padding: "8px 14px" }}>{loading ? "Reading the log…" : lines.length === 0 ? "The first lines come when a card takes the run." : "No line matches."}</p>}
        <div style={{ height: list.getTotalSize(), position: "relative" }}>
          {list.getVirtualItems().map((v) => (
            <div key={v.key} style={{ position: "absolute", insetInline: 0, top: v.start }} ref={list.measureElement} data-index={v.index}>
              <Row row={rows[v.index]!} onOpen={(id) => { setFollow(false); setSeen(lines.length); setOpen(new Set([...open, id])); }} />
            </div>
          ))}
        </div>
      </div>
    </>
  );
}

function Row({ row, onOpen }: { row: LogRow; onOpen: (id: number) => void }) {
  if (row.kind === "fold") {
    return <button className="log-line fold" onClick={() => onOpen(row.first)}><IconChevronRight size={12} style={{ verticalAlign: -2, marginRight: 8 }} aria-hidden />{row.words}</button>;
  }
  const { entry, tone } = row;
  return <div className={tone === "" ? "log-line" : `log-line is-${tone}`}><span className="at">{clockMillis(Date.parse(entry.at))}</span><span className="level dim">{entry.level === "warning" ? "warn" : entry.level}</span><span>{entry.text}</span></div>;
}

function save(name: string, lines: readonly LogEntry[]): void {
  const text = lines.map((line) => `${line.at} ${line.level} [${line.attempt}] ${line.text}`).join("\n");
  const url = URL.createObjectURL(new Blob([`${text}\n`], { type: "text/plain" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${name}.log`;
  link.click();
  URL.revokeObjectURL(url);
}
