import { Link } from "react-router";
import type { SweepDetail, TrialView } from "../api/types";
import { count, plain } from "../model/format";
import { lineKind, metricWords, resultOf, statusWord } from "../model/sweeps";
import { StateGlyph } from "./StateGlyph";
import type { Glyph } from "./StateGlyph";

const GLYPHS: Readonly<Record<TrialView["status"], Glyph>> = { training: "running", waiting: "paused", finished: "succeeded", failed: "failed", stopped: "cancelled" };

/** Trials, the best first, each with what was decided of it. */
export function TrialTable({ sweep, trials }: { sweep: SweepDetail; trials: readonly TrialView[] }) {
  const fields = sweep.request.space.map((field) => field.field);
  return (
    <div className="panel scroll-x">
      <table className="plain-table trial-table">
        <thead>
          <tr>
            <th scope="col">Trial</th><th scope="col" className="right">{metricWords(sweep.summary.metric)}</th>
            {fields.map((field) => <th key={field} scope="col" className="right" title={field}>{field.split(".").at(-1)}</th>)}
            <th scope="col">Rung</th><th scope="col">Decision</th>
          </tr>
        </thead>
        <tbody>
          {trials.map((trial) => (
            <tr key={trial.number}>
              <td className="one-line">
                <span className="row"><StateGlyph state={GLYPHS[trial.status]} progress={(trial.step ?? 0) / trial.rung_step} title={statusWord(trial)} />
                  {trial.run_id ? <Link className="link" to={`/runs/${trial.run_id}/overview`}>{trial.number}</Link> : trial.number}</span>
              </td>
              <td className={lineKind(trial, sweep.summary) === "best" ? "right strong accent" : "right"}>{plain(resultOf(trial))}</td>
              {fields.map((field) => <td key={field} className="right one-line">{shown(trial.setting[field])}</td>)}
              <td className="one-line"><Rungs trial={trial} rungs={sweep.rungs} /></td>
              <td style={{ minWidth: 320 }}>{trial.status === "training" ? `On its way to step ${count(trial.rung_step)}, at ${count(trial.step ?? 0)}. ` : ""}{trial.status === "training" && trial.results.length === 0 ? "" : trial.decision ?? ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function shown(value: unknown): string {
  return value === undefined ? "" : typeof value === "number" ? plain(Number(value.toPrecision(3))) : String(value);
}

/** A box for each rung; filled up to the last that the trial reached or is on its way to. */
function Rungs({ trial, rungs }: { trial: TrialView; rungs: readonly number[] }) {
  const reached = trial.results.at(-1)?.step ?? 0;
  return (
    <span className="rungs" role="img" aria-label={`${trial.results.length} of ${rungs.length} rungs`}>
      {rungs.map((rung) => <span key={rung} className={rung <= reached ? `full ${trial.status}` : rung <= trial.rung_step && trial.status === "training" ? "under" : ""} />)}
    </span>
  );
}
