import { useCallback, useMemo, useState } from "react";
import { useLive } from "../api/live";
import { useLogSearch } from "../api/logs";
import { useMetrics } from "../api/metrics";
import type { RunDetail } from "../api/types";
import { AttemptStrip } from "../components/AttemptStrip";
import { Chart } from "../components/Chart";
import { ChartTable } from "../components/ChartLegend";
import { Facts } from "../components/Facts";
import { Problem } from "../components/Notices";
import { layStrip, memoryWords, RESUME_WORDS, withResumes } from "../model/attempts";
import { buildCharts, marksOf } from "../model/charts";
import type { ChartModel } from "../model/charts";
import { count } from "../model/format";
import { isOver } from "../model/runs";
import { getField } from "../model/specForm";
import { useKeys } from "./keys";
import { ChartToolsOfUrl, useChartUrl } from "./chartState";

const SIDE = new Set(["lr", "speed"]);

/** Facts, attempts and charts of a run. */
export function RunOverview({ run, now, phone }: { run: RunDetail; now: number; phone: boolean }) {
  const { summary } = run;
  const { returns } = useLive();
  const { axis, smoothing, logY, zoom, set } = useChartUrl();
  const [table, setTable] = useState(false);
  const over = isOver(summary.state);
  const metrics = useMetrics(summary.id, summary.step, `${run.attempts.length} ${over} ${returns}`);
  const resumes = useLogSearch(summary.id, RESUME_WORDS, `${run.attempts.length} ${summary.state}`);
  const marks = useMemo(() => marksOf(run.attempts, run.checkpoints, axis, summary.step), [run.attempts, run.checkpoints, axis, summary.step]);
  const charts = useMemo(() => buildCharts(metrics.series, axis, smoothing, marks.gaps), [metrics.series, axis, smoothing, marks.gaps]);
  const onZoom = useCallback((span: readonly [number, number] | null) => set({ x0: span === null ? null : String(round(span[0])), x1: span === null ? null : String(round(span[1])) }), [set]);
  useKeys({ l: () => set({ log: logY ? null : "1" }), d: () => setTable(!table), "0": () => onZoom(null) });
  const strip = layStrip(summary, run.attempts, run.checkpoints, Math.floor(now / 5000) * 5000);
  const height = phone ? { big: 220, side: 150, more: 140 } : { big: 306, side: 128, more: 112 };

  const chart = (model: ChartModel, size: number) => (table
    ? <ChartTable key={model.id} model={model} axis={axis} />
    : <Chart key={model.id} model={model} marks={marks} axis={axis} live={!over} logY={logY} zoom={zoom} onZoom={onZoom} height={size} empty={emptyWords(run, metrics.status)} />);
  const [loss, ...rest] = charts;
  return (
    <>
      <Facts run={run} now={now} />
      {summary.state === "failed" && summary.reason && <div style={{ marginBottom: 10 }}><Problem title={`Failed at step ${count(summary.step)}`} words={summary.reason} /></div>}
      {summary.state !== "failed" && summary.state !== "cancelled" && summary.reason && <p className="panel" style={{ padding: "9px 14px", marginBottom: 10 }}>{summary.reason}</p>}
      {strip && <AttemptStrip strip={strip} notes={withResumes(run.notes, resumes)} memory={memoryWords(run.attempts)} most={phone ? 2 : 3} />}
      {phone && <ChartToolsOfUrl />}
      {metrics.status === "error" && <div style={{ marginBottom: 10 }}><Problem title="The points did not arrive" words={`${metrics.error} Trying again in 8 s.`} onRetry={metrics.retry} /></div>}
      <div className="charts">
        {loss && chart(loss, height.big)}
        <div className="side-charts">{rest.filter((m) => SIDE.has(m.id)).map((m) => chart(m, height.side))}</div>
        {rest.length > 2 && <div className="more-charts">{rest.filter((m) => !SIDE.has(m.id)).map((m) => chart(m, height.more))}</div>}
      </div>
    </>
  );
}

function emptyWords(run: RunDetail, status: string): string {
  if (status === "loading") {
    return "";
  }
  const every = Number(getField(run.spec, "eval.every_steps") ?? 0);
  return isOver(run.summary.state) ? "No points were recorded." : `The first value comes with the first step${every > 0 ? `, validation at step ${count(every)}` : ""}.`;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
