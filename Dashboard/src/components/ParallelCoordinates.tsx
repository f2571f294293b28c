import { useRef, useState } from "react";
import type { PointerEvent } from "react";
import type { SweepDetail, TrialView } from "../api/types";
import { axesOf, isWithin, lineKind } from "../model/sweeps";
import type { Axis, Brush } from "../model/sweeps";

interface Props {
  readonly sweep: SweepDetail;
  readonly brushes: readonly Brush[];
  readonly onBrushes: (brushes: Brush[]) => void;
}

const WIDTH = 720;
const HEIGHT = 270;
const TOP = 44;
const FOOT = 12;
const SIDE = 46;
/** A brush that is shorter was a click, which takes it away. */
const LEAST = 0.02;
const ORDER = { stopped: 0, promoted: 1, running: 2, best: 3 } as const;

/** Settings against results: a line per trial over an axis per field. Dragging along an axis narrows trials to a part of it. */
export function ParallelCoordinates({ sweep, brushes, onBrushes }: Props) {
  const axes = axesOf(sweep);
  const svg = useRef<SVGSVGElement>(null);
  const [drag, setDrag] = useState<{ field: string; from: number; to: number } | null>(null);
  const x = (i: number) => SIDE + (axes.length === 1 ? 0 : (i * (WIDTH - 2 * SIDE)) / (axes.length - 1));
  const y = (at: number) => TOP + (1 - at) * (HEIGHT - TOP - FOOT);
  const shown = drag === null ? brushes : [...brushes.filter((b) => b.field !== drag.field), part(drag)];
  const trials = [...sweep.trials].sort((a, b) => ORDER[lineKind(a, sweep.summary)] - ORDER[lineKind(b, sweep.summary)]);

  const at = (event: PointerEvent) => {
    const box = svg.current!.getBoundingClientRect();
    return Math.min(1, Math.max(0, 1 - (((event.clientY - box.top) / box.height) * HEIGHT - TOP) / (HEIGHT - TOP - FOOT)));
  };
  const end = () => {
    if (drag !== null) {
      const rest = brushes.filter((b) => b.field !== drag.field);
      onBrushes(Math.abs(drag.to - drag.from) < LEAST ? rest : [...rest, part(drag)]);
    }
    setDrag(null);
  };

  return (
    <svg ref={svg} className="parallel wide" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`Settings and results of ${sweep.trials.length} trials; the table below has the same`}>
      {trials.map((trial) => (
        <path key={trial.number} d={line(trial, axes, x, y)} className={`trial ${lineKind(trial, sweep.summary)} ${isWithin(trial, axes, shown) ? "" : "out"}`}><title>{`Trial ${trial.number}`}</title></path>
      ))}
      {axes.map((axis, i) => {
        const brush = shown.find((b) => b.field === axis.field);
        return (
          <g key={axis.field}>
            <text x={x(i)} y={14} textAnchor="middle" className="axis-title">{axis.title}</text>
            <text x={i === axes.length - 1 ? WIDTH - 4 : x(i)} y={28} textAnchor={i === axes.length - 1 ? "end" : "middle"} className="axis-note">{axis.note}</text>
            <line x1={x(i)} x2={x(i)} y1={y(0)} y2={y(1)} className="axis-line" />
            {axis.ticks.map((tick) => <text key={tick.words} x={x(i) + (i === axes.length - 1 ? 6 : -6)} y={y(tick.at) + 4} textAnchor={i === axes.length - 1 ? "start" : "end"} className="axis-tick">{tick.words}</text>)}
            {brush && <rect x={x(i) - 6} width={12} y={y(brush.high)} height={y(brush.low) - y(brush.high)} className="brush" />}
            <rect x={x(i) - 12} width={24} y={y(1) - 4} height={y(0) - y(1) + 8} className="handle" aria-hidden
              onPointerDown={(event) => { event.currentTarget.setPointerCapture(event.pointerId); setDrag({ field: axis.field, from: at(event), to: at(event) }); }}
              onPointerMove={(event) => { const to = at(event); setDrag((old) => (old === null ? null : { ...old, to })); }}
              onPointerUp={end} onPointerCancel={() => setDrag(null)} />
          </g>
        );
      })}
    </svg>
  );
}

function part({ field, from, to }: { field: string; from: number; to: number }): Brush {
  return { field, low: Math.min(from, to), high: Math.max(from, to) };
}

/** A line stops where a field does not count, and goes on behind it. */
function line(trial: TrialView, axes: readonly Axis[], x: (i: number) => number, y: (at: number) => number): string {
  let path = "";
  let before: [number, number] | null = null;
  axes.forEach((axis, i) => {
    const at = axis.at(trial);
    const here: [number, number] | null = at === null ? null : [x(i), y(at)];
    if (here !== null) {
      const middle = before === null ? 0 : (before[0] + here[0]) / 2;
      path += before === null ? `M${here[0]} ${here[1]}` : `C${middle} ${before[1]} ${middle} ${here[1]} ${here[0]} ${here[1]}`;
    }
    before = here;
  });
  return path;
}
