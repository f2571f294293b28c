import { Menu } from "@mantine/core";
import { IconCpu, IconDeviceDesktop, IconDots, IconTestPipe } from "@tabler/icons-react";
import { Link } from "react-router";
import type { WorkerVerb } from "../api/pool";
import { shortModel } from "../model/attempts";
import { clock, gigabytes, memoryOf, NB, percent, short, UNKNOWN } from "../model/format";
import type { Card, DeviceStatus } from "../model/pool";
import { Meter } from "./Meter";
import { StateGlyph } from "./StateGlyph";
import type { Glyph } from "./StateGlyph";

const STATUS: Readonly<Record<DeviceStatus, readonly [string, string, string, Glyph]>> = {
  training: ["Training", "var(--accent)", "var(--accent-soft)", "running"],
  free: ["Free", "var(--good)", "var(--good-soft)", "free"],
  unreachable: ["Not reachable", "var(--text-3)", "var(--sunken)", "asleep"],
  draining: ["Draining", "var(--warn)", "var(--warn-soft)", "warning"],
};

interface Props {
  readonly card: Card;
  readonly now: number;
  /** Absent for those who may only look. */
  readonly onVerb?: (verb: WorkerVerb) => void;
}

/** One device: what it does, what it reads, whose agent speaks for it. */
export function DeviceCard({ card, now, onVerb }: Props) {
  const { device, worker, status } = card;
  const [words, color, background, glyph] = STATUS[status];
  const Icon = device.info.kind === "cpu" ? IconCpu : device.info.kind === "simulated" ? IconTestPipe : IconDeviceDesktop;
  const away = status === "unreachable";
  return (
    <article className={away ? "panel card away" : "panel card"} aria-label={device.name}>
      <div className="card-main">
        <div className="card-head">
          <Icon size={15} stroke={1.6} color="var(--text-3)" aria-hidden />
          <b className="strong">{device.name}</b><span className="small soft cut grow">{shortModel(device.info.model)}</span>
          <span className="pill" style={{ color, background }}><StateGlyph state={glyph} progress={device.progress ?? 0} title={words} />{words}</span>
          {onVerb && <MachineMenu card={card} onVerb={onVerb} />}
        </div>
        {status === "training" && <Running card={card} />}
        {status === "free" && <p className="small soft">Takes the next run that fits.</p>}
        {worker.draining && !away && <p className="small soft">Being drained: takes no new runs.</p>}
        {away && <p className="small soft"><b className="strong">Not heard from</b> since {clock(Date.parse(worker.seen_at), now)}. Its runs go on elsewhere from their last checkpoint.</p>}
        <Readings card={card} />
      </div>
      <div className="card-foot">{kindWords(card)}; agent {worker.agent_version}, in the pool since {clock(Date.parse(worker.joined_at), now)}.</div>
    </article>
  );
}

/** A machine with several devices is drained or removed as a whole. */
function MachineMenu({ card: { worker }, onVerb }: { card: Card; onVerb: (verb: WorkerVerb) => void }) {
  return (
    <Menu shadow="md" position="bottom-end">
      <Menu.Target><button type="button" className="icon-button" aria-label={`More for ${worker.name}`}><IconDots size={16} stroke={1.6} /></button></Menu.Target>
      <Menu.Dropdown>
        {worker.draining
          ? <Menu.Item onClick={() => onVerb("undrain")}>Let {worker.name} take runs again</Menu.Item>
          : <Menu.Item onClick={() => onVerb("drain")}>Drain {worker.name}: nothing new starts there</Menu.Item>}
        <Menu.Item color="var(--bad)" onClick={() => onVerb("remove")}>Remove {worker.name}…</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function kindWords({ device }: Card): string {
  switch (device.info.kind) {
    case "cpu":
      return "CPU";
    case "simulated":
      return "Simulated card";
    default:
      return device.info.capability ? `Compute ${device.info.capability}` : "GPU";
  }
}

function Running({ card: { device } }: { card: Card }) {
  return (
    <div className="card-run">
      <StateGlyph state="running" progress={device.progress ?? 0} />
      <Link to={`/runs/${device.run_id}/overview`} className="strong cut">{device.run_name}</Link>
      <span className="small soft">{device.progress === null || device.progress === undefined ? "starting" : percent(device.progress)}</span>
      <div className="wide"><Meter value={device.progress ?? 0} label={`Progress of ${device.run_name ?? "the run"}`} /></div>
      <span className="small dim">{device.tokens_per_second ? `${short(device.tokens_per_second)} tok/s` : ""}</span>
    </div>
  );
}

/** Meters of what the probe reads; what it cannot read has no row, except memory, whose size is known. */
function Readings({ card: { device, status } }: { card: Card }) {
  const reading = status === "unreachable" ? null : device.reading ?? null;
  const color = status === "training" ? "var(--fill)" : "var(--bar)";
  const total = device.info.memory_bytes;
  const used = reading?.memory_used_bytes ?? null;
  const busy = reading?.utilization_percent ?? null;
  const watts = reading?.power_watts ?? null;
  const cap = reading?.power_cap_watts ?? null;
  const heat = reading?.temperature_celsius ?? null;
  const name = device.info.kind === "cpu" ? "CPU" : "GPU";
  return (
    <div className="readings">
      {busy !== null && <><span>{name}</span><Meter value={busy / 100} label={name} color={color} height={8} /><span className="value"><b>{busy.toFixed(0)}</b>{NB}%{heat === null ? "" : `, ${heat.toFixed(0)}${NB}°C`}</span></>}
      <span>Memory</span><Meter value={used === null ? 0 : used / total} label="Memory" color={color} height={8} />
      <span className="value" title={used === null ? "The probe reads no use" : undefined}>{used === null ? `${UNKNOWN} of ${gigabytes(total)}${NB}GB` : memoryOf(used, total)}</span>
      {watts !== null && <><span>Power</span><Meter value={cap ? watts / cap : 0} label="Power" color="var(--bar)" height={8} /><span className="value"><b>{watts.toFixed(0)}</b>{cap ? ` of ${cap.toFixed(0)}` : ""}{NB}W</span></>}
    </div>
  );
}
