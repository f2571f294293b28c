interface Props {
  /** 0..1. */
  readonly value: number;
  readonly label: string;
  readonly starting?: boolean;
  readonly color?: string;
  readonly height?: number;
}

/** A bar with its meaning for readers. */
export function Meter({ value, label, starting = false, color, height }: Props) {
  const share = Math.max(0, Math.min(1, value));
  return (
    <div className={starting ? "meter starting" : "meter"} role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100}
      aria-valuenow={Math.round(share * 100)} style={height === undefined ? undefined : { height }}>
      <span style={{ width: `${share * 100}%`, ...(color === undefined ? {} : { background: color }) }} />
    </div>
  );
}
