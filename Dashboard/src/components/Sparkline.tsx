/** Values above this quantile are drawn at the top edge. */
const STEEP = 0.95;

interface Props {
  readonly values: readonly (number | string)[];
  readonly color: string;
  /** Share of the run that is done: the line stops there. */
  readonly done?: number;
  readonly head?: boolean;
  readonly width?: number;
  readonly height?: number;
}

/** At most 60 smoothed losses; the scale clips the steep start so that the rest has a shape. */
export function Sparkline({ values, color, done = 1, head = false, width = 86, height = 24 }: Props) {
  const numbers = values.map(Number).filter((v) => Number.isFinite(v));
  if (numbers.length < 2) {
    return <svg width={width} height={height} aria-hidden="true"><path d={`M0 ${height - 2}H${width}`} stroke="var(--line)" /></svg>;
  }
  const low = Math.min(...numbers);
  const high = [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length * STEEP)]!;
  const span = high - low || 1;
  const reach = (width - 5) * Math.max(0.08, Math.min(1, done));
  const points = numbers.map((v, i) => [1 + (i / (numbers.length - 1)) * reach, 2 + (1 - Math.min(1, (v - low) / span)) * (height - 7)] as const);
  const last = points.at(-1)!;
  return (
    <svg width={width} height={height} fill="none" aria-hidden="true" style={{ display: "block" }}>
      <path d={`M0 ${height - 1.500}H${width}`} stroke="var(--line)" />
      <path d={`M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`} stroke={color} strokeWidth="1.400" strokeLinejoin="round" />
      {head && <circle cx={last[0]} cy={last[1]} r="2.200" fill={color} />}
    </svg>
  );
}
