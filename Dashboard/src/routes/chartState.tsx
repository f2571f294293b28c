import { useCallback, useMemo } from "react";
import { useSearchParams } from "react-router";
import { ChartTools } from "../components/ChartTools";
import type { Axis } from "../model/charts";

export const DEFAULT_SMOOTHING = 0.9;

export interface ChartUrl {
  readonly axis: Axis;
  readonly smoothing: number;
  readonly logY: boolean;
  readonly zoom: readonly [number, number] | null;
  readonly set: (values: Readonly<Record<string, string | null>>) => void;
}

/** Axis, smoothing, scale and zoom, kept in the address so that a link shows the same picture. */
export function useChartUrl(): ChartUrl {
  const [params, setParams] = useSearchParams();
  const set = useCallback((values: Readonly<Record<string, string | null>>) => {
    setParams((old) => {
      const next = new URLSearchParams(old);
      for (const [key, value] of Object.entries(values)) {
        if (value === null) {
          next.delete(key);
        } else {
          next.set(key, value);
        }
      }
      return next;
    }, { replace: true });
  }, [setParams]);
  const x0 = params.get("x0");
  const x1 = params.get("x1");
  const zoom = useMemo((): readonly [number, number] | null => {
    const span = [Number(x0), Number(x1)] as const;
    return x0 !== null && x1 !== null && span[1] > span[0] ? span : null;
  }, [x0, x1]);
  const smooth = Number(params.get("smooth") ?? DEFAULT_SMOOTHING);
  return {
    axis: params.get("axis") === "time" ? "time" : "step",
    smoothing: Number.isFinite(smooth) ? Math.max(0, Math.min(0.99, smooth)) : DEFAULT_SMOOTHING,
    logY: params.get("log") === "1",
    zoom,
    set,
  };
}

const AXES = [{ value: "step", label: "Step" }, { value: "time", label: "Time" }] as const;

export function ChartToolsOfUrl() {
  const { axis } = useChartUrl();
  return <AxisToolsOfUrl axes={AXES} axis={axis} />;
}

/** The tools over axes of the page's own; the first one is what an address without an axis means. */
export function AxisToolsOfUrl<A extends string>({ axes, axis }: { axes: readonly { readonly value: A; readonly label: string }[]; axis: A }) {
  const { smoothing, logY, zoom, set } = useChartUrl();
  return (
    <ChartTools axes={axes} axis={axis} smoothing={smoothing} logY={logY} zoomed={zoom !== null}
      onAxis={(value) => set({ axis: value === axes[0]?.value ? null : value, x0: null, x1: null })}
      onSmoothing={(value) => set({ smooth: value === DEFAULT_SMOOTHING ? null : String(value) })}
      onLog={() => set({ log: logY ? null : "1" })}
      onReset={() => set({ x0: null, x1: null })} />
  );
}
