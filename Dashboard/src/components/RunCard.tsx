import { Link } from "react-router";
import type { RunSummary } from "../api/types";
import { count, loss, percent } from "../model/format";
import { endOf, modelName, progressOf, sectionOf } from "../model/runs";
import { Meter } from "./Meter";
import { Sparkline } from "./Sparkline";
import { StateGlyph } from "./StateGlyph";

/** A run on the phone. */
export function RunCard({ run, now }: { run: RunSummary; now: number }) {
  const section = sectionOf(run.state);
  const end = endOf(run, now);
  const value = run.validation_loss ?? run.loss;
  return (
    <Link to={`/runs/${run.id}`} className="panel run-card">
      <div className="top">
        <div className="run-name">
          <StateGlyph state={run.state} progress={progressOf(run)} />
          <span className="title cut">{run.name}</span>
          <span className="sub small dim cut">{modelName(run)}{run.device ? `, ${run.device}` : ""}</span>
        </div>
        {value !== null && value !== undefined && (
          <div className="right"><div className="strong" style={{ fontSize: 15 }}>{loss(Number(value))}</div><div className="tiny dim">nats/token</div></div>
        )}
      </div>
      {section === "waiting" && <p className="small soft" style={{ marginTop: 6 }}>{run.reason || (run.state === "paused" ? `Paused at step ${count(run.step)}.` : "Waits for a card.")}</p>}
      {section === "finished" && <p className="small dim" style={{ marginTop: 6 }}>{count(run.step)} of {count(run.total_steps)} steps, ended {end.at}{run.state === "failed" && run.reason ? `. ${run.reason}` : ""}</p>}
      {section === "training" && (
        <div className="card-progress">
          <div className="small">
            <div className="progress-top">
              <span><b>{percent(run.state === "starting" ? run.starting_fraction ?? 0 : progressOf(run))}</b> <span className="soft">{run.state === "starting" ? run.starting_what : `${count(run.step)} / ${count(run.total_steps)}`}</span></span>
              <span className="soft">{end.at === "–" ? "" : `ends ${end.at}`}</span>
            </div>
            <Meter value={run.state === "starting" ? run.starting_fraction ?? 0 : progressOf(run)} label="Progress" starting={run.state === "starting"} />
          </div>
          <Sparkline values={run.sparkline} color="var(--accent)" width={72} done={progressOf(run)} head />
        </div>
      )}
    </Link>
  );
}
