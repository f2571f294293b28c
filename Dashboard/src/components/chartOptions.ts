import type uPlot from "uplot";
import type { Axis, ChartModel, Marks } from "../model/charts";
import { stepLabel } from "../model/charts";
import { count } from "../model/format";
import { drawBehind, drawFront } from "./chartMarks";

/** What the drawing reads at each frame; kept in one place so that a chart is made once and then only fed. */
export interface ChartState {
  model: ChartModel;
  marks: Marks;
  axis: Axis;
  live: boolean;
  zoom: readonly [number, number] | null;
  range: { low: number; high: number };
  onZoom: (zoom: readonly [number, number] | null) => void;
  onCursor: (index: number | null) => void;
}

export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const LEAST_DRAG = 5;

/** The data columns in uPlot's order: x, then per line its ghost's low and high (if any) and itself. */
export function columnsOf(model: ChartModel): uPlot.AlignedData {
  return [model.x, ...model.lines.flatMap((line) => (line.low && line.high ? [line.low, line.high, line.values] : [line.values]))] as uPlot.AlignedData;
}

/** Changes when lines come or go, so that the chart has to be made anew. */
export function shapeOf(model: ChartModel): string {
  return model.lines.map((line) => `${line.label}${line.low ? "+" : ""}`).join();
}

export function chartOptions(state: ChartState, width: number, height: number, logY: boolean, uplot: typeof uPlot): uPlot.Options {
  const { series, bands, ghosts } = seriesOf(state.model);
  const time = state.axis === "time";
  const font = '11px "Inter Variable", sans-serif';
  const axis = { font, stroke: token("text-3"), ticks: { show: false } };
  return {
    width,
    height,
    series,
    bands,
    padding: [10, 12, 0, 0],
    legend: { show: false },
    scales: {
      x: { time, range: (_u, low, high) => xRange(state, low, high) },
      y: { ...(logY ? { distr: 100 as const, fwd: Math.log, bwd: Math.exp } : {}), range: () => [state.range.low, state.range.high] },
    },
    axes: [
      { ...axis, size: 24, gap: 6, space: 60, grid: { show: false }, border: { show: true, stroke: token("axis"), width: 1 },
        ...(time ? { values: uplotTimes(uplot) } : { values: (_u: uPlot, ticks: number[]) => ticks.map(stepLabel) }) },
      { ...axis, size: 40, gap: 6, space: 34, grid: { stroke: token("grid"), width: 1 }, values: (_u, ticks: (number | null)[]) => ticks.map((v) => (v === null ? "" : shortTick(state.model, v))), filter: (_u, ticks) => ticks },
    ],
    cursor: {
      y: false,
      points: { size: (_u, i) => (ghosts.has(i) ? 0 : 8), width: 2, stroke: (u, i) => (u.series[i]?.stroke as () => string)(), fill: () => token("surface") },
      drag: { x: true, y: false, setScale: false },
      sync: { key: "run", setSeries: false, filters: { pub: (type) => type === "mousemove" || type === "mouseleave", sub: () => true } } as uPlot.Cursor.Sync,
      bind: { dblclick: () => () => { state.onZoom(null); return null; } },
      focus: { prox: -1 },
    },
    hooks: {
      drawClear: [(u) => drawBehind(u, state)],
      draw: [(u) => drawFront(u, state)],
      setCursor: [(u) => { moveTag(u, state); state.onCursor(u.cursor.idx ?? null); }],
      setSelect: [(u) => select(u, state)],
    },
  };
}

function xRange(state: ChartState, low: number | null, high: number | null): [number, number] {
  if (state.zoom !== null) {
    return [state.zoom[0], state.zoom[1]];
  }
  const from = state.axis === "step" ? 0 : low ?? 0;
  const to = high ?? from + 1;
  return [from, Math.max(to + (to - from) * 0.012, from + 1)];
}

/** The ghosts are the edges of the unsmoothed points: one line where each bucket is one step, else a band. */
function seriesOf(model: ChartModel): { series: uPlot.Series[]; bands: uPlot.Band[]; ghosts: ReadonlySet<number> } {
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  const ghosts = new Set<number>();
  for (const line of model.lines) {
    const color = () => token(`s${line.color}`);
    if (line.low && line.high) {
      const at = series.length;
      const edge = (): uPlot.Series => ({ points: { show: false }, width: 1, pxAlign: 0, stroke: () => `${color()}22` });
      ghosts.add(at).add(at + 1);
      series.push(edge(), edge());
      bands.push({ series: [at + 1, at], fill: `${token(`s${line.color}`)}40` });
    }
    series.push({ label: line.label, stroke: color, width: line.dots ? 1.4 : 1.6, pxAlign: 0,
      points: line.dots ? { show: true, size: 6, width: 1.4, stroke: color, fill: token("surface") } : { show: false } });
  }
  return { series, bands, ghosts };
}

function shortTick(model: ChartModel, value: number): string {
  const text = model.format(value);
  return text.includes("e") ? text : text.replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");
}

function uplotTimes(uplot: typeof uPlot): uPlot.Axis.DynamicValues {
  const minutes = uplot.fmtDate("{HH}:{mm}");
  const seconds = uplot.fmtDate("{HH}:{mm}:{ss}");
  return (_u, ticks) => ticks.map((at) => (ticks.length > 1 && ticks[1]! - ticks[0]! < 60 ? seconds : minutes)(new Date(at * 1000)));
}

/** The dark tag under the crosshair: "step 5,600". */
function moveTag(u: uPlot, state: ChartState): void {
  let tag = u.over.querySelector<HTMLElement>(".chart-tag");
  if (tag === null) {
    tag = document.createElement("div");
    tag.className = "chart-tag";
    u.over.appendChild(tag);
  }
  const index = u.cursor.idx;
  const left = u.cursor.left ?? -1;
  if (index === null || index === undefined || left < 0) {
    tag.style.display = "none";
    return;
  }
  const x = u.data[0][index]!;
  tag.textContent = state.axis === "step" ? `step ${count(x)}` : new Date(x * 1000).toLocaleTimeString("en-GB");
  tag.style.display = "block";
  const half = tag.offsetWidth / 2;
  tag.style.left = `${Math.max(half - 30, Math.min(u.over.clientWidth - half + 8, left))}px`;
}

function select(u: uPlot, state: ChartState): void {
  const { left, width } = u.select;
  if (width >= LEAST_DRAG) {
    state.onZoom([u.posToVal(left, "x"), u.posToVal(left + width, "x")]);
  }
  if (width > 0) {
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }
}
