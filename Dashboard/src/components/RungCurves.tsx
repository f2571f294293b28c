import type { SweepDetail } from "../api/types";
import { count, plain } from "../model/format";
import { lineKind, metricWords, rungCurve } from "../model/sweeps";

const WIDTH = 420;
const HEIGHT = 270;
const TOP = 30;
const FOOT = 24;
const LEFT = 48;
const RIGHT = 26;

/** The metric of each trial at each rung, with how many trials came to it. */
export function RungCurves({ sweep }: { sweep: SweepDetail }) {
  const values = sweep.trials.flatMap((trial) => trial.results.map((result) => result.value));
  if (values.length === 0) {
    return <p className="soft small empty-chart">The first value comes with the first trial at step {count(sweep.rungs[0] ?? 0)}.</p>;
  }
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (at: number) => LEFT + at * (WIDTH - LEFT - RIGHT);
  const y = (at: number) => TOP + (1 - at) * (HEIGHT - TOP - FOOT);
  const place = (i: number) => x(sweep.rungs.length === 1 ? 0.5 : Math.log(sweep.rungs[i]! / sweep.rungs[0]!) / Math.log(sweep.rungs.at(-1)! / sweep.rungs[0]!));
  return (
    <svg className="parallel" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${metricWords(sweep.summary.metric)} of trials at each rung`}>
      {[0, 0.25, 0.5, 0.75, 1].map((at) => (
        <g key={at}>
          <line x1={LEFT} x2={WIDTH - RIGHT} y1={y(at)} y2={y(at)} className="grid-line" />
          <text x={LEFT - 6} y={y(at) + 4} textAnchor="end" className="axis-tick">{plain(low + at * (high - low))}</text>
        </g>
      ))}
      {sweep.rungs.map((rung, i) => (
        <g key={rung}>
          <line x1={place(i)} x2={place(i)} y1={TOP - 6} y2={HEIGHT - FOOT} className="rung-line" />
          <text x={place(i)} y={14} textAnchor="middle" className="axis-tick">{sweep.trials.filter((t) => t.results.some((r) => r.step === rung)).length}{i === 0 ? " trials" : ""}</text>
          <text x={place(i)} y={HEIGHT - 6} textAnchor="middle" className="axis-tick">{count(rung)}</text>
        </g>
      ))}
      {sweep.trials.map((trial) => {
        const points = rungCurve(trial, sweep.rungs, low, high).map(([px, py]) => [x(px), y(py)] as const);
        const kind = lineKind(trial, sweep.summary);
        return (
          <g key={trial.number}>
            <path d={points.map(([px, py], i) => `${i === 0 ? "M" : "L"}${px} ${py}`).join("")} className={`trial ${kind}`} />
            {points.map(([px, py]) => <circle key={px} cx={px} cy={py} r={kind === "best" ? 3.4 : 2.2} className={`point ${kind}`}><title>{`Trial ${trial.number}`}</title></circle>)}
          </g>
        );
      })}
    </svg>
  );
}
