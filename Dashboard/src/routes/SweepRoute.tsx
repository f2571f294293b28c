import "../theme/run.css";
import "../theme/sweeps.css";
import { Button } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { maySubmit, useMe } from "../api/session";
import { useCancelSweep, useSweep } from "../api/sweeps";
import type { SweepDetail } from "../api/types";
import { Confirm } from "../components/Confirm";
import { Problem } from "../components/Notices";
import { ParallelCoordinates } from "../components/ParallelCoordinates";
import { RungCurves } from "../components/RungCurves";
import { TrialTable } from "../components/TrialTable";
import { clockSeconds, duration, percent, plain, plural, short, UNKNOWN } from "../model/format";
import { axesOf, brushWords, isWithin, methodWords, metricWords, ordered, readBrushes, savedShare, writeBrushes } from "../model/sweeps";

const STATES: Readonly<Record<SweepDetail["summary"]["state"], string>> = { running: "running", done: "done", cancelled: "cancelled" };

/** `/sweeps/:id?brush=`: settings against results, curves by rung, and every decision in a sentence. */
export function SweepRoute() {
  const { id = "" } = useParams();
  const me = useMe();
  const sweep = useSweep(id);
  const cancel = useCancelSweep(id);
  const [asking, setAsking] = useState(false);
  if (sweep.error) {
    return <div style={{ paddingTop: 60 }}><Problem title="The sweep did not arrive" words={sweep.error.message} onRetry={() => void sweep.refetch()} /></div>;
  }
  if (sweep.data === undefined) {
    return null;
  }
  const { summary, request } = sweep.data;
  return (
    <>
      <div className="page-head">
        <h1>{summary.name}</h1>
        <span className="tag">{summary.training > 0 ? `${plural(summary.training, "trial")} training` : STATES[summary.state]}</span>
        <span className="small soft grow">s-{summary.number}, {methodWords(request)}, by {summary.created_by}</span>
        {summary.started > 1 && <Button component={Link} variant="default" to={`/compare?runs=s-${summary.number}&metric=${summary.metric}`}>Compare trials</Button>}
        {summary.state === "running" && maySubmit(me.data) && <Button onClick={() => setAsking(true)}>Cancel sweep…</Button>}
      </div>
      <Confirm opened={asking} title={`Cancel ${summary.name}?`} act="Cancel sweep" keep="Keep it going" onKeep={() => setAsking(false)} onAct={() => { cancel.mutate(); setAsking(false); }}>
        Its trials that train or wait are cancelled with it. What they reported stays.
      </Confirm>
      {cancel.error && <Problem title="It was not cancelled" words={cancel.error.message} />}
      <SweepFacts sweep={sweep.data} />
      <SweepBody sweep={sweep.data} />
    </>
  );
}

function SweepFacts({ sweep }: { sweep: SweepDetail }) {
  const { summary } = sweep;
  const saved = savedShare(sweep);
  const facts: [string, string, string][] = [
    ["Best so far", plain(summary.best_value), summary.best_trial === null || summary.best_trial === undefined ? `no ${metricWords(summary.metric)} yet` : `trial ${summary.best_trial}, ${metricWords(summary.metric)}`],
    ["Trials", `${summary.started} of ${summary.trials}`, `${summary.training} training, ${summary.trials - summary.started} to come`],
    ["Trained", `${short(sweep.tokens)}`, "tokens, up to the rungs sent to"],
    ["Spent", duration(sweep.hours * 3600), "of devices"],
    ["Saved by stopping", saved === null ? UNKNOWN : percent(saved), "of the steps if all trained to the end"],
  ];
  return (
    <div className="panel facts">
      {facts.map(([name, value, sub]) => <div key={name} className="fact"><div className="name">{name}</div><div className="value">{value}</div><div className="sub" title={sub}>{sub}</div></div>)}
    </div>
  );
}

function SweepBody({ sweep }: { sweep: SweepDetail }) {
  const [params, setParams] = useSearchParams();
  const axes = axesOf(sweep);
  const brushes = readBrushes(params.get("brush") ?? "").filter((brush) => axes.some((axis) => axis.field === brush.field));
  const within = ordered(sweep.trials, sweep.summary.maximise).filter((trial) => isWithin(trial, axes, brushes));
  const setBrushes = (next: typeof brushes) => setParams(next.length === 0 ? {} : { brush: writeBrushes(next) }, { replace: true });
  return (
    <>
      <div className="sweep-charts">
        <section className="panel" aria-label="Settings and results">
          <header className="sweep-head">
            <h2>Settings and result</h2>
            {brushes.map((brush) => (
              <button key={brush.field} className="tag" title="Show all again" onClick={() => setBrushes(brushes.filter((b) => b !== brush))}>
                {brushWords(brush, axes.find((axis) => axis.field === brush.field)!)} <IconX size={12} stroke={1.6} aria-hidden />
              </button>
            ))}
            {brushes.length > 0 && <span className="small soft">{within.length} of {sweep.trials.length}</span>}
            <span className="legend"><i className="best" />best<i className="running" />running<i className="promoted" />promoted<i className="stopped" />stopped</span>
          </header>
          <div className="scroll-x" tabIndex={0}><ParallelCoordinates sweep={sweep} brushes={brushes} onBrushes={setBrushes} /></div>
        </section>
        <section className="panel" aria-label="Curves by rung">
          <header className="sweep-head"><h2>Curves by rung</h2><span className="small soft">{metricWords(sweep.summary.metric)}</span></header>
          <RungCurves sweep={sweep} />
        </section>
      </div>
      <TrialTable sweep={sweep} trials={within} />
      <section className="panel decisions" aria-label="Decisions">
        <header className="sweep-head"><h2>Decisions</h2><span className="small soft">the newest first</span></header>
        <ol tabIndex={0} aria-label="Decisions, the newest first">{sweep.decisions.map((decision) => <li key={decision.id}><time className="dim">{clockSeconds(Date.parse(decision.at))}</time><span>{decision.sentence}</span></li>)}</ol>
      </section>
    </>
  );
}
