import { useEffect, useRef } from "react";
import { count } from "../model/format";
import type { SectionName, Sections } from "../model/runs";
import { RunCard } from "./RunCard";
import type { SectionNote } from "./RunsTable";

interface Props {
  readonly sections: Sections;
  readonly notes: Readonly<Record<SectionName, SectionNote>>;
  readonly now: number;
  readonly onEnd: () => void;
}

const NAMES: Readonly<Record<SectionName, string>> = { training: "Training", waiting: "Waiting", finished: "Finished" };

/** The list as cards. */
export function RunsPhone({ sections, notes, now, onEnd }: Props) {
  const end = useRef<HTMLDivElement>(null);
  const onEndNow = useRef(onEnd);
  useEffect(() => { onEndNow.current = onEnd; });
  useEffect(() => {
    const watcher = new IntersectionObserver(([entry]) => { if (entry?.isIntersecting) { onEndNow.current(); } });
    watcher.observe(end.current!);
    return () => watcher.disconnect();
  }, []);
  return (
    <>
      {(["training", "waiting", "finished"] as const).map((name) => sections[name].length > 0 && (
        <section key={name} aria-label={NAMES[name]}>
          <div className="section-phone"><span><b className="strong">{NAMES[name]}</b> <span className="dim">&nbsp;{count(notes[name].total)}</span></span><span className="dim">{notes[name].words}</span></div>
          {sections[name].map((run) => <RunCard key={run.id} run={run} now={now} />)}
        </section>
      ))}
      <div ref={end} />
    </>
  );
}
