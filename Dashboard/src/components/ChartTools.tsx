import { Button, SegmentedControl, Slider } from "@mantine/core";
import type { Axis } from "../model/charts";

interface Props {
  readonly axis: Axis;
  readonly smoothing: number;
  readonly logY: boolean;
  readonly zoomed: boolean;
  readonly onAxis: (axis: Axis) => void;
  readonly onSmoothing: (value: number) => void;
  readonly onLog: () => void;
  readonly onReset: () => void;
}

/** What all charts of the page share: axis, smoothing, scale, zoom. */
export function ChartTools({ axis, smoothing, logY, zoomed, onAxis, onSmoothing, onLog, onReset }: Props) {
  return (
    <div className="run-tools" role="toolbar" aria-label="Charts">
      {zoomed && <Button onClick={onReset}>Reset</Button>}
      <span aria-hidden>Axis</span>
      <SegmentedControl aria-label="Axis" value={axis} onChange={(value) => onAxis(value as Axis)} data={[{ value: "step", label: "Step" }, { value: "time", label: "Time" }]} />
      <span aria-hidden>Smoothing</span>
      <Slider w={84} min={0} max={0.99} step={0.01} value={smoothing} label={null} thumbLabel="Smoothing" onChange={onSmoothing} />
      <span style={{ width: 26 }}>{smoothing.toFixed(2)}</span>
      <Button aria-pressed={logY} style={logY ? { color: "var(--accent)", borderColor: "var(--accent-line)" } : undefined} onClick={onLog}>Log y</Button>
    </div>
  );
}
