import type { DeviceFit, ModelCost } from "../api/types";
import { shortModel } from "../model/attempts";
import { gigabytes, memoryOf, NB, plural, short } from "../model/format";
import { Meter } from "./Meter";
import { StateGlyph } from "./StateGlyph";

interface Props {
  readonly cost: ModelCost | null;
  readonly fits: readonly DeviceFit[];
  /** The fields that are wrong, while what is shown is from before. */
  readonly stale: readonly string[];
  readonly pending: boolean;
}

/** Where the run would fit, by the model's cost formulas. */
export function Forecast({ cost, fits, stale, pending }: Props) {
  const good = fits.filter((fit) => fit.fits);
  return (
    <section className="panel" aria-label="Forecast" aria-busy={pending}>
      <div className="forecast-head">
        <div className="row">
          <h2 className="grow">Forecast</h2>
          {stale.length > 0 && <span className="pill" style={{ color: "var(--warn)", background: "var(--warn-soft)" }}>for the last valid {stale[0]!.split(".").at(-1)}</span>}
        </div>
        {fits.length > 0
          ? <p style={{ marginTop: 4 }}><b className="strong">Fits {good.length} of {plural(fits.length, "device")}.</b></p>
          : <p className="soft" style={{ marginTop: 4 }}>{cost === null ? "Comes once every field is right." : "No device is in the pool; the run waits until there is one."}</p>}
        {cost && (
          <dl className="forecast-numbers">
            <div><dt>Parameters</dt><dd>{short(cost.parameters)}</dd></div>
            <div><dt>Tokens</dt><dd>{short(cost.tokens)}</dd></div>
            <div><dt>Work</dt><dd>{flops(cost.flops_per_token * cost.tokens)}</dd></div>
            <div><dt>Least memory</dt><dd>{gigabytes(cost.minimum_bytes)}{NB}GB</dd></div>
          </dl>
        )}
      </div>
      {fits.map((fit) => <Fit key={fit.device} fit={fit} best={fit === good[0]} />)}
      {good.length > 0 && <p className="small soft" style={{ padding: "10px 14px 12px", borderTop: "1px solid var(--line)" }}>Micro-batch × accumulation is chosen per device; the global batch and the data order stay the same. From the model's cost formulas.</p>}
    </section>
  );
}

function Fit({ fit, best }: { fit: DeviceFit; best: boolean }) {
  return (
    <div className={best ? "fit best" : "fit"}>
      <StateGlyph state={fit.fits ? "succeeded" : "cancelled"} title={fit.fits ? "Fits" : "Does not fit"} />
      <span className="cut"><b className="strong">{fit.device}</b> <span className="soft">{shortModel(fit.device_model)}</span></span>
      <span className="strong">{fit.fits ? `${fit.micro_batch} × ${fit.accumulation}` : ""}</span>
      <span className="wide mem"><Meter value={fit.total_bytes > 0 ? fit.needed_bytes / fit.total_bytes : 0} label="Memory" color={fit.fits ? "var(--bar)" : "var(--bad)"} height={6} />{memoryOf(fit.needed_bytes, fit.total_bytes)}</span>
      {fit.reason !== "" && <span className="wide">{fit.reason}</span>}
    </div>
  );
}

function flops(value: number): string {
  const units = [[1e18, "EFLOP"], [1e15, "PFLOP"], [1e12, "TFLOP"], [1e9, "GFLOP"]] as const;
  const [size, unit] = units.find(([limit]) => value >= limit) ?? [1e6, "MFLOP"];
  return `${(value / size).toPrecision(3)}${NB}${unit}`;
}
