import "../theme/run.css";
import "../theme/compare.css";
import { Select } from "@mantine/core";
import { useCallback, useMemo } from "react";
import { Link, useSearchParams } from "react-router";
import { useComparison } from "../api/compare";
import type { CompareAxis, Comparison } from "../api/types";
import { Chart } from "../components/Chart";
import { Problem } from "../components/Notices";
import type { Marks } from "../model/charts";
import { AXES, bestOf, bestWords, colorOf, comparisonChart, metricTitle, valueWords } from "../model/compare";
import { count, duration, loss, plural, short, UNKNOWN } from "../model/format";
import { AxisToolsOfUrl, useChartUrl } from "./chartState";

const NO_MARKS: Marks = { gaps: [], grounds: [], moves: [], checkpoints: [] };
const METRIC = "validation_loss";

/** `/compare?runs=r-1,r-4|s-2&metric&axis&smooth&log`: runs over one axis, what their specs differ in, and the best of each. */
export function CompareRoute() {
  const [params] = useSearchParams();
  const { set } = useChartUrl();
  const runs = params.get("runs") ?? "";
  const metric = params.get("metric") ?? METRIC;
  const axis = AXES.find((a) => a.value === params.get("axis"))?.value ?? "step";
  const compared = useComparison(runs, metric, axis);
  if (runs === "") {
    return <div className="panel nothing" role="status"><b className="strong">Nothing is compared</b><span className="soft">Select two runs or more on the page <Link className="link" to="/runs">Runs</Link>, and choose Compare.</span></div>;
  }
  if (compared.error) {
    return <div style={{ paddingTop: 60 }}><Problem title="The runs were not compared" words={compared.error.message} onRetry={() => void compared.refetch()} /></div>;
  }
  if (compared.data === undefined) {
    return <div className="panel" aria-busy aria-label="Loading the comparison" style={{ height: 380 }}><span className="skeleton" style={{ height: 380 }} /></div>;
  }
  const { data } = compared;
  return (
    <>
      <div className="page-head">
        <h1>Compare</h1>
        <span className="small soft grow">{plural(data.runs.length, "run")}</span>
        <CompareTools metrics={data.metrics} metric={metric} axis={axis} set={set} />
      </div>
      {data.notes.map((note) => <p key={note} className="panel small" style={{ padding: "9px 14px", marginBottom: 10 }}>{note}</p>)}
      <Curves comparison={data} />
      <BestTable comparison={data} />
      <Differences comparison={data} />
    </>
  );
}

function CompareTools({ metrics, metric, axis, set }: { metrics: readonly string[]; metric: string; axis: CompareAxis; set: ReturnType<typeof useChartUrl>["set"] }) {
  const offered = metrics.includes(metric) ? [...metrics] : [metric, ...metrics];
  return (
    <>
      <Select aria-label="Metric" size="xs" w={210} allowDeselect={false} searchable value={metric} data={offered.map((m) => ({ value: m, label: metricTitle(m) }))} onChange={(value) => set({ metric: value, x0: null, x1: null })} />
      <AxisToolsOfUrl axes={AXES} axis={axis} />
    </>
  );
}

function Curves({ comparison }: { comparison: Comparison }) {
  const { smoothing, logY, zoom, set } = useChartUrl();
  const model = useMemo(() => comparisonChart(comparison, smoothing), [comparison, smoothing]);
  const onZoom = useCallback((span: readonly [number, number] | null) => set({ x0: span === null ? null : String(span[0]), x1: span === null ? null : String(span[1]) }), [set]);
  return (
    <div style={{ marginBottom: 10 }}>
      <Chart model={model} marks={NO_MARKS} axis="step" live={false} logY={logY} zoom={zoom} onZoom={onZoom} height={320} empty={`None of these runs reports ${metricTitle(comparison.metric).toLowerCase()} over this axis.`} />
    </div>
  );
}

function BestTable({ comparison }: { comparison: Comparison }) {
  const best = bestOf(comparison);
  return (
    <div className="panel scroll-x" style={{ marginBottom: 10 }}>
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">Run</th><th scope="col" className="right">Best {metricTitle(comparison.metric).toLowerCase()}</th><th scope="col">Where</th>
            <th scope="col" className="right">nats/token</th><th scope="col" className="right">bits/byte</th><th scope="col" className="right">Steps</th>
            <th scope="col" className="right">Tokens</th><th scope="col" className="right">Trained for</th><th scope="col" className="right">Energy</th>
          </tr>
        </thead>
        <tbody>
          {comparison.runs.map((run, i) => (
            <tr key={run.id}>
              <td className="one-line"><i className="swatch" style={{ background: `var(--s${colorOf(i)})` }} aria-hidden /><Link className="link" to={`/runs/${run.id}/overview`}>{run.name}</Link> <span className="dim small">r-{run.number}</span></td>
              <td className={i === best ? "right strong accent" : "right"}>{run.best ? loss(Number(run.best.value)) : UNKNOWN}</td>
              <td className="one-line small">{bestWords(run)}</td>
              <td className="right">{loss(numberOf(run.nats_per_token))}</td>
              <td className="right">{loss(numberOf(run.bits_per_byte))}</td>
              <td className="right one-line">{count(run.step)} of {count(run.total_steps)}</td>
              <td className="right">{short(run.tokens)}</td>
              <td className="right one-line">{duration(Number(run.seconds))}</td>
              <td className="right one-line">{numberOf(run.watt_hours) === null ? UNKNOWN : `${short(numberOf(run.watt_hours)!)} Wh`}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Differences({ comparison }: { comparison: Comparison }) {
  if (comparison.differences.length === 0) {
    return <p className="panel soft small" style={{ padding: "10px 14px" }}>Their specs are the same, but for their names.</p>;
  }
  return (
    <div className="panel scroll-x">
      <table className="plain-table" aria-label="What the specs differ in">
        <thead><tr><th scope="col">Differs</th>{comparison.runs.map((run, i) => <th key={run.id} scope="col" className="right"><i className="swatch" style={{ background: `var(--s${colorOf(i)})` }} aria-hidden />r-{run.number}</th>)}</tr></thead>
        <tbody>{comparison.differences.map(({ field, values }) => (
          <tr key={field}><td className="mono small one-line">{field}</td>{values.map((value, i) => <td key={comparison.runs[i]?.id ?? i} className="right one-line">{valueWords(value)}</td>)}</tr>
        ))}</tbody>
      </table>
    </div>
  );
}

function numberOf(value: number | string | null | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}
