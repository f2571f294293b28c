import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Axis, ChartModel, Marks } from "../model/charts";
import { chartSummary, yRange } from "../model/charts";
import { count } from "../model/format";
import { ChartLegend } from "./ChartLegend";
import { chartOptions, columnsOf, shapeOf } from "./chartOptions";
import type { ChartState } from "./chartOptions";

interface Props {
  readonly model: ChartModel;
  readonly marks: Marks;
  readonly axis: Axis;
  readonly live: boolean;
  readonly logY: boolean;
  readonly zoom: readonly [number, number] | null;
  readonly onZoom: (zoom: readonly [number, number] | null) => void;
  readonly height: number;
  /** Shown instead of the chart while it has no points. */
  readonly empty: string;
}

/** One chart on canvas. It is made once and then fed, so that nothing that is drawn moves. */
export function Chart(props: Props) {
  const { model, marks, axis, live, logY, zoom, onZoom, height, empty } = props;
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [cursor, setCursor] = useState<number | null>(null);
  const [reveal, setReveal] = useState(false);
  const scheme = useComputedColorScheme("light");
  const from = zoom?.[0] ?? model.x[0] ?? 0;
  const to = zoom?.[1] ?? model.x.at(-1) ?? 1;
  const range = useMemo(() => yRange(model, from, to, reveal), [model, from, to, reveal]);
  const log = logY && range !== null && range.low >= 0 && model.lines.every((line) => line.values.every((v) => typeof v !== "number" || v > 0));
  const low = log && range!.low <= 0 ? leastOf(model) : range?.low ?? 0;
  const state = useRef<ChartState>(null as unknown as ChartState);
  const next: ChartState = { model, marks, axis, live, zoom, range: { low, high: range?.high ?? 1 }, onZoom, onCursor: setCursor };
  if (state.current === null) {
    state.current = next;
  } else {
    Object.assign(state.current, next);
  }
  const bare = model.x.length === 0;
  const shape = `${shapeOf(model)} ${axis} ${log} ${scheme} ${bare}`;

  useEffect(() => {
    const element = host.current;
    if (element === null || bare) {
      return undefined;
    }
    const made = new uPlot(chartOptions(state.current, element.clientWidth, height, log, uPlot), columnsOf(state.current.model), element);
    plot.current = made;
    const watcher = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: made.height }));
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = null;
    };
    // The shape names all that a chart cannot change in place.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shape]);

  useEffect(() => {
    plot.current?.setData(columnsOf(model), true);
  }, [model, marks, zoom, range]);
  useEffect(() => {
    plot.current?.setSize({ width: host.current?.clientWidth ?? 300, height });
  }, [height]);

  const above = range?.above ?? null;
  return (
    <section className="panel chart" aria-label={model.title}>
      <ChartLegend model={model} cursor={cursor} />
      {bare
        ? <div className="chart-empty soft" style={{ height }}>{empty}</div>
        : <div ref={host} className="chart-host" style={{ height }} role="img" aria-label={chartSummary(model)} />}
      {!bare && (above !== null || reveal) && (
        <button className="chart-above" onClick={() => setReveal(!reveal)}>
          {above === null ? "Hide the start" : `▲ ${model.format(above.value)} at ${axis === "step" ? `step ${count(above.x)}` : new Date(above.x * 1000).toLocaleTimeString("en-GB")}`}
        </button>
      )}
      {model.broken.length > 0 && <div className="chart-broken tiny bad">{count(model.broken.length)} points are not numbers, steps {count(model.broken[0]!)} to {count(model.broken.at(-1)!)}</div>}
    </section>
  );
}

function leastOf(model: ChartModel): number {
  const values = model.lines.flatMap((line) => line.values.filter((v): v is number => typeof v === "number" && v > 0));
  return Math.min(...values) * 0.95;
}
