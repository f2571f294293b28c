import { Button } from "@mantine/core";
import { IconBan, IconChartLine, IconPlayerPause, IconPlayerPlay, IconX } from "@tabler/icons-react";
import { Link } from "react-router";
import type { RunVerb } from "../api/runs";
import type { RunSummary } from "../api/types";
import { allowedVerbs } from "../model/runs";

interface Props {
  readonly runs: readonly RunSummary[];
  /** Why actions are off; empty when they are on. */
  readonly off: string;
  readonly onVerb: (verb: RunVerb, runs: readonly RunSummary[]) => void;
  readonly onClear: () => void;
}

/** Verbs for the selected runs, each with the number it applies to. */
export function BulkBar({ runs, off, onVerb, onClear }: Props) {
  const by = (verb: "pause" | "resume" | "cancel") => runs.filter((run) => allowedVerbs(run.state)[verb]);
  const verbs = [
    { verb: "pause", words: "Pause", icon: <IconPlayerPause size={14} stroke={1.6} />, dots: "" },
    { verb: "resume", words: "Resume", icon: <IconPlayerPlay size={14} stroke={1.6} />, dots: "" },
    { verb: "cancel", words: "Cancel", icon: <IconBan size={14} stroke={1.6} />, dots: "…" },
  ] as const;
  return (
    <div className="bulk" role="toolbar" aria-label="Selected runs">
      <b className="strong small">{runs.length} selected</b>
      {verbs.map(({ verb, words, icon, dots }) => by(verb).length > 0 && (
        <Button key={verb} className={verb === "cancel" ? "btn lean danger" : "btn lean"} leftSection={icon} disabled={off !== ""} title={off}
          onClick={() => onVerb(verb, by(verb))}>{words} {by(verb).length}{dots}</Button>
      ))}
      {runs.length > 1 && <Button component={Link} className="btn lean" leftSection={<IconChartLine size={14} stroke={1.6} />} to={`/compare?runs=${runs.map((run) => `r-${run.number}`).join()}`}>Compare {runs.length}</Button>}
      <button className="icon-button" aria-label="Clear the selection" onClick={onClear}><IconX size={14} /></button>
    </div>
  );
}
