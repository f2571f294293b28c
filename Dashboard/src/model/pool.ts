import type { DeviceView, WorkerView } from "../api/types";

export type DeviceStatus = "training" | "free" | "unreachable" | "draining";

export interface Card {
  readonly device: DeviceView;
  readonly worker: WorkerView;
  readonly status: DeviceStatus;
}

/** Every device with what it is doing. */
export function cardsOf(workers: readonly WorkerView[]): Card[] {
  return [...workers].sort((a, b) => a.name.localeCompare(b.name)).flatMap((worker) =>
    worker.devices.map((device) => ({ device, worker, status: statusOf(worker, device) })));
}

function statusOf(worker: WorkerView, device: DeviceView): DeviceStatus {
  if (!worker.online) {
    return "unreachable";
  }
  return device.run_id ? "training" : worker.draining ? "draining" : "free";
}

export function poolCounts(workers: readonly WorkerView[]): { machines: number; cards: number; busy: number; free: number; away: number } {
  const cards = cardsOf(workers);
  const of = (status: DeviceStatus) => cards.filter((card) => card.status === status).length;
  return { machines: workers.length, cards: cards.length, busy: of("training"), free: of("free"), away: of("unreachable") };
}

/** "2 machines, 3 devices: 1 training, 2 free". */
export function poolWords(workers: readonly WorkerView[]): string {
  const { machines, cards, busy, free, away } = poolCounts(workers);
  const many = (n: number, one: string) => `${n} ${one}${n === 1 ? "" : "s"}`;
  const parts = [busy > 0 ? `${busy} training` : "", free > 0 ? `${free} free` : "", away > 0 ? `${away} not reachable` : ""].filter((p) => p !== "");
  return `${many(machines, "machine")}, ${many(cards, "device")}${parts.length > 0 ? `: ${parts.join(", ")}` : ""}`;
}

const NOTED_FOR = 12 * 3600 * 1000;

/** Workers that something went wrong with not long ago, the latest first. */
export function noted(workers: readonly WorkerView[], now: number): WorkerView[] {
  const at = (worker: WorkerView) => Date.parse(worker.noted_at ?? "");
  return workers.filter((worker) => worker.note && now - at(worker) < NOTED_FOR).sort((a, b) => at(b) - at(a));
}
