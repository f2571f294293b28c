import { Checkbox } from "@mantine/core";
import { memo } from "react";
import { Link } from "react-router";
import type { RunSummary } from "../api/types";
import { count, duration, loss, NB, percent, short, UNKNOWN } from "../model/format";
import { endOf, modelName, progressOf, sectionOf, speedOf, tookSeconds } from "../model/runs";
import { shortModel } from "../model/attempts";
import { Meter } from "./Meter";
import { Sparkline } from "./Sparkline";
import { StateGlyph } from "./StateGlyph";

interface Props {
  readonly run: RunSummary;
  readonly now: number;
  readonly selected: boolean;
  readonly focused: boolean;
  readonly changed: boolean;
  readonly onSelect: (id: string, range: boolean) => void;
  readonly onOpen: (id: string) => void;
}

/** One run in the table; 53 px while live, 36 px once finished. */
export const RunRow = memo(function RunRow({ run, now, selected, focused, changed, onSelect, onOpen }: Props) {
  const section = sectionOf(run.state);
  const classes = ["run-grid", "run-row", section, selected && "selected", focused && "focus", changed && "changed"].filter(Boolean).join(" ");
  const end = endOf(run, now);
  return (
    <div className={classes} role="row" data-run={run.id} onClick={() => onOpen(run.id)}>
      <div role="cell" onClick={(e) => e.stopPropagation()}>
        <Checkbox aria-label={`Select ${run.name}`} checked={selected} onChange={(e) => onSelect(run.id, (e.nativeEvent as MouseEvent).shiftKey)} />
      </div>
      <NameCell run={run} finished={section === "finished"} />
      {section === "waiting"
        ? <div role="cell" className="sentence" title={run.reason ?? ""}>{waitingWords(run)}</div>
        : <MetricCells run={run} finished={section === "finished"} />}
      <div role="cell" className="small">
        <div>{end.at}</div>
        {end.sub !== "" && <div className="dim">{end.sub}</div>}
      </div>
      <div role="cell" className="by"><span className="avatar" title={run.created_by}>{run.created_by.charAt(0).toUpperCase()}</span></div>
    </div>
  );
});

function waitingWords(run: RunSummary): string {
  if (run.reason) {
    return run.reason;
  }
  return run.state === "paused" ? `Paused at step ${count(run.step)}. Resume it to go on from there.` : "Waits for the next look at the pool.";
}

function NameCell({ run, finished }: { run: RunSummary; finished: boolean }) {
  return (
    <div role="cell" className="run-name">
      <StateGlyph state={run.state} progress={progressOf(run)} />
      <span className="title">
        <Link to={`/runs/${run.id}`} className="cut" onClick={(e) => e.stopPropagation()}>{run.name}</Link>
        {run.tags.slice(0, 2).map((tag) => <span key={tag} className="tag">{tag}</span>)}
      </span>
      {!finished && <span className="sub small dim cut">{modelName(run)}, {run.task} · r-{run.number}</span>}
    </div>
  );
}

function MetricCells({ run, finished }: { run: RunSummary; finished: boolean }) {
  const shown = run.validation_loss ?? run.loss;
  const value = shown === null || shown === undefined ? null : Number(shown);
  const color = run.state === "failed" ? "var(--bad)" : finished ? "var(--text-3)" : "var(--accent)";
  const first = run.state === "starting" && value === null;
  const speed = speedOf(run);
  const bits = run.validation_bits_per_byte ?? null;
  const about = value === null ? "No loss yet" : bits === null ? undefined : `${loss(Number(bits))} bits per byte of held-out text`;
  return (
    <>
      <div role="cell" className="small">{finished ? <Outcome run={run} /> : <Progress run={run} />}</div>
      <div role="cell" className="loss-cell">
        {first ? <span /> : <Sparkline values={run.sparkline} color={color} done={progressOf(run)} head={!finished} />}
        <div className="right cut">
          {first ? <span className="small dim">first step soon</span> : <span className={finished ? "" : "strong"} title={about}>{loss(value)}</span>}
          {!finished && !first && <div className="tiny dim cut">{run.validation_loss == null ? "training" : "nats/token"}</div>}
        </div>
      </div>
      <div role="cell" className="speed right" title={speed === null ? "No speed measured" : finished ? "Over the whole run" : undefined}>
        {speed === null ? UNKNOWN : short(speed)}
        {!finished && speed !== null ? <div className="tiny dim">tok/s</div> : null}
      </div>
      <div role="cell" className="small cut">
        <div className="cut">{run.device ?? UNKNOWN}</div>
        {!finished && <div className="dim cut">{shortModel(run.device_model ?? "")}</div>}
      </div>
    </>
  );
}

export function Progress({ run }: { run: RunSummary }) {
  if (run.state === "starting") {
    const fraction = run.starting_fraction ?? null;
    return (
      <>
        <div className="progress-top"><span className="cut">{run.starting_what ?? "Starting"}</span><span className="dim">{fraction === null ? "" : percent(fraction)}</span></div>
        <Meter value={fraction ?? 0} label="Start" starting />
      </>
    );
  }
  return (
    <>
      <div className="progress-top"><span>{count(run.step)} <span className="dim">/ {count(run.total_steps)}</span></span><span className="strong">{percent(progressOf(run))}</span></div>
      <Meter value={progressOf(run)} label="Progress" />
    </>
  );
}

function Outcome({ run }: { run: RunSummary }) {
  const took = tookSeconds(run);
  if (run.state === "succeeded") {
    return <div className="cut">{count(run.step)}{NB}steps{took === null ? "" : <span className="dim">, {duration(took)}</span>}</div>;
  }
  const why = run.state === "failed" ? run.reason ?? "failed" : took === null ? "cancelled" : duration(took);
  return <div className="cut" title={run.reason ?? ""}>{count(run.step)} of {count(run.total_steps)}, <span className={run.state === "failed" ? "bad" : "dim"}>{why}</span></div>;
}
