import { Button, SegmentedControl, Slider } from "@mantine/core";

interface Props<A extends string> {
  readonly axes: readonly { readonly value: A; readonly label: string }[];
  readonly axis: A;
  readonly smoothing: number;
  readonly logY: boolean;
  readonly zoomed: boolean;
  readonly onAxis: (axis: A) => void;
  readonly onSmoothing: (value: number) => void;
  readonly onLog: () => void;
  readonly onReset: () => void;
}

/** What all charts of the page share: axis, smoothing, scale, zoom. */
export function ChartTools<A extends string>({ axes, axis, smoothing, logY, zoomed, onAxis, onSmoothing, onLog, onReset }: Props<A>) {
  return (
    <div className="run-tools" role="toolbar" aria-label="Charts">
      {zoomed && <Button onClick={onReset}>Reset</Button>}
      <span aria-hidden>Axis</span>
      <SegmentedControl aria-label="Axis" value={axis} onChange={(value) => onAxis(value as A)} data={axes.map(({ value, label }) => ({ value, label }))} />
      <span aria-hidden>Smoothing</span>
      <Slider w={84} min={0} max={0.99} step={0.01} value={smoothing} label={null} thumbLabel="Smoothing" onChange={onSmoothing} />
      <span style={{ width: 26 }}>{smoothing.toFixed(2)}</span>
      <Button aria-pressed={logY} style={logY ? { color: "var(--accent)", borderColor: "var(--accent-line)" } : undefined} onClick={onLog}>Log y</Button>
    </div>
  );
}
