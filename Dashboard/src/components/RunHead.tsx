import { Button } from "@mantine/core";
import { IconBan, IconCalendarRepeat, IconCopy, IconDeviceFloppy, IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import type { RunVerb } from "../api/runs";
import type { RunSummary } from "../api/types";
import { allowedVerbs, modelName, progressOf } from "../model/runs";
import { StateGlyph } from "./StateGlyph";
import { StatePill } from "./StatePill";

interface Props {
  readonly run: RunSummary;
  /** Whether another run repeats its bits. */
  readonly exact: boolean;
  readonly off: string;
  readonly busy: RunVerb | null;
  readonly phone: boolean;
  readonly onVerb: (verb: RunVerb) => void;
  readonly onClone: () => void;
  readonly onSchedule: () => void;
}

/** Name, state and what can be done now. */
export function RunHead({ run, exact, off, busy, phone, onVerb, onClone, onSchedule }: Props) {
  const may = allowedVerbs(run.state);
  const button = (verb: RunVerb, words: string, doing: string, icon: React.ReactNode, danger = false) => may[verb] && (
    <Button leftSection={icon} className={danger ? "btn danger" : "btn"} disabled={off !== "" || busy !== null} title={off} onClick={() => onVerb(verb)}>{busy === verb ? doing : words}</Button>
  );
  return (
    <div className="page-head">
      <StateGlyph state={run.state} progress={progressOf(run)} />
      <h1>{run.name}</h1>
      <span aria-live="polite"><StatePill state={run.state} device={run.state === "running" || run.state === "starting" ? run.device : null} /></span>
      {!exact && <span className="tag" title="train.exact is false: its trace and weights cannot be repeated to the bit.">not exact</span>}
      {run.tags.map((tag) => <span key={tag} className="tag">{tag}</span>)}
      <span className="small soft cut grow">r-{run.number}, {modelName(run)} on {run.dataset}, by {run.created_by}</span>
      <div className="actions">
        {button("pause", "Pause", "Pausing…", <IconPlayerPause size={14} stroke={1.6} />)}
        {button("resume", "Resume", "Resuming…", <IconPlayerPlay size={14} stroke={1.6} />)}
        {!phone && button("checkpoint", "Checkpoint now", "Asking…", <IconDeviceFloppy size={14} stroke={1.6} />)}
        <Button leftSection={<IconCopy size={14} stroke={1.6} />} onClick={onClone}>Clone</Button>
        {!phone && <Button leftSection={<IconCalendarRepeat size={14} stroke={1.6} />} onClick={onSchedule}>Schedule…</Button>}
        {button("cancel", "Cancel…", "Cancelling…", <IconBan size={14} stroke={1.6} />, true)}
      </div>
    </div>
  );
}
