import type { ReactNode } from "react";
import type { CheckpointView, RunDetail } from "../api/types";
import { clock, count, duration, loss, magnitude, NB, percent, short, trace, UNKNOWN } from "../model/format";
import { progressOf, speedOf, tookSeconds } from "../model/runs";
import { Meter } from "./Meter";

/** Five facts of a run, each with one line of what it means. */
export function Facts({ run, now }: { run: RunDetail; now: number }) {
  const { summary } = run;
  const progress = progressOf(summary);
  const starting = summary.state === "starting";
  const measured = speedOf(summary);
  const [speed, letter] = measured === null ? [UNKNOWN, ""] : magnitude(measured);
  return (
    <div className="panel facts">
      <Fact wide name={starting ? summary.starting_what ?? "Starting" : "Progress"} sub={`${count(summary.step)} of ${count(summary.total_steps)} steps, ${short(summary.tokens)} tokens`}>
        <span className="with-meter">
          <span>{percent(starting ? summary.starting_fraction ?? 0 : progress, starting ? 0 : 1).replace("%", "")}<small>%</small></span>
          <Meter value={starting ? summary.starting_fraction ?? 0 : progress} label="Progress" starting={starting} height={6} />
        </span>
      </Fact>
      <Ends run={run} now={now} />
      <LossFact run={run} />
      <Fact name="Speed" sub={summary.device_model ?? "no card now"}><span title={measured === null ? "No speed measured yet" : summary.ended_at ? "Over the whole run" : undefined}>{speed}</span> <small>{letter}{letter && " "}tok/s</small></Fact>
      <TraceFact run={run} />
    </div>
  );
}

function Fact({ name, sub, wide = false, children }: { name: string; sub: string; wide?: boolean; children: ReactNode }) {
  return (
    <div className={wide ? "fact wide" : "fact"}>
      <div className="name">{name}</div>
      <div className="value">{children}</div>
      <div className="sub" title={sub}>{sub}</div>
    </div>
  );
}

function Ends({ run, now }: { run: RunDetail; now: number }) {
  const { summary } = run;
  if (summary.ended_at) {
    const took = tookSeconds(summary);
    return <Fact name="Ended" sub={took === null ? "never started" : `after ${duration(took)}`}>{clock(Date.parse(summary.ended_at), now)}</Fact>;
  }
  const left = summary.seconds_left ?? null;
  const running = summary.state === "running" && left !== null;
  return (
    <Fact name="Ends" sub={running ? `in ${duration(left)}` : "known once it trains"}>{running ? `about ${clock(now + left * 1000, now)}` : UNKNOWN}</Fact>
  );
}

function LossFact({ run }: { run: RunDetail }) {
  const { summary } = run;
  const validation = summary.validation_loss ?? null;
  const shown = validation ?? summary.loss ?? null;
  const bits = summary.validation_bits_per_byte ?? null;
  const beside = `train ${loss(Number(summary.loss ?? Number.NaN))}${bits === null ? "" : `, ${loss(Number(bits))} bits/byte`}`;
  const sub = validation === null ? (shown === null ? "first value with the first step" : "last training step") : beside;
  return <Fact name={validation === null ? "Loss" : "Validation loss"} sub={sub}>{loss(shown === null ? null : Number(shown))} <small>nats/token</small></Fact>;
}

/** The trace proves an exact resume; its colour is kept for when it was proved. */
function TraceFact({ run }: { run: RunDetail }) {
  const equal = run.notes.find((note) => /trace equal|equal trace/i.test(note.text));
  if (equal) {
    return <Fact name="Exact resume" sub={equal.step === null || equal.step === undefined ? "proved on resume" : `at step ${count(equal.step)}`}><span className="good">Trace equal</span></Fact>;
  }
  const over = run.summary.ended_at && run.trace ? { step: run.summary.step, trace: run.trace } : null;
  const known = over ?? newest(run.checkpoints) ?? null;
  if (known === null) {
    return <Fact name="Trace" sub="with the first checkpoint">{UNKNOWN}</Fact>;
  }
  return <Fact name="Trace" sub={`at ${over ? "step" : "checkpoint"} ${count(known.step)}`}><span className="mono" title={trace(known.trace)}>{trace(known.trace).slice(0, 9).replace(" ", NB)}</span></Fact>;
}

function newest(checkpoints: readonly CheckpointView[]): CheckpointView | undefined {
  return [...checkpoints].sort((a, b) => b.step - a.step)[0];
}

