import type { RunSummary, WorkerView } from "../api/types";

/** What the event stream has told since the last full read. */
export interface LiveState {
  readonly lastId: string;
  /** Newest summary of each run that an event named. */
  readonly runs: ReadonlyMap<string, RunSummary>;
  readonly workers: ReadonlyMap<string, WorkerView>;
  /** Runs whose notes, checkpoints or attempts changed; by a count that grows. */
  readonly details: ReadonlyMap<string, number>;
  readonly logs: ReadonlyMap<string, number>;
}

export const EMPTY_LIVE: LiveState = { lastId: "", runs: new Map(), workers: new Map(), details: new Map(), logs: new Map() };

export interface LiveEvent {
  readonly id: string;
  readonly kind: string;
  readonly runId: string | null;
  readonly data: unknown;
}

/** Applies events in order. Events at or below the last seen id are repeats after a resume and change nothing. */
export function reduceLive(state: LiveState, events: readonly LiveEvent[]): LiveState {
  let lastId = state.lastId;
  const runs = new Map(state.runs);
  const workers = new Map(state.workers);
  const details = new Map(state.details);
  const logs = new Map(state.logs);
  for (const event of events) {
    if (event.id !== "" && lastId !== "" && Number(event.id) <= Number(lastId)) {
      continue;
    }
    lastId = event.id === "" ? lastId : event.id;
    const run = event.runId;
    switch (event.kind) {
      case "run":
      case "progress": {
        const summary = event.data as RunSummary;
        const before = runs.get(summary.id);
        runs.set(summary.id, summary);
        if (event.kind === "run" || (before !== undefined && before.state !== summary.state)) {
          bump(details, summary.id);
        }
        break;
      }
      case "worker": {
        const worker = event.data as WorkerView;
        workers.set(worker.id, worker);
        break;
      }
      case "note":
      case "checkpoint":
        if (run !== null) {
          bump(details, run);
        }
        break;
      case "log":
        if (run !== null) {
          bump(logs, run);
        }
        break;
      default:
        break;
    }
  }
  return { lastId, runs, workers, details, logs };
}

function bump(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Quiet for 6 s: the light says so. Quiet for 10 s: the banner, and actions are off. */
export type Connection = "live" | "reconnecting" | "lost";

export function connection(now: number, lastEventAt: number): Connection {
  const quiet = now - lastEventAt;
  return quiet < 6000 ? "live" : quiet < 10_000 ? "reconnecting" : "lost";
}
