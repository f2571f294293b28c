import type { QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { connection, EMPTY_LIVE, reduceLive } from "../model/live";
import type { Connection, LiveEvent, LiveState } from "../model/live";

const KINDS = ["run", "progress", "worker", "note", "checkpoint", "log", "sweep", "ping", "reset"] as const;
const PAINT_MS = 250;
const HIDDEN_PAINT_MS = 5000;
const RETRY_MS = 2000;

export interface LiveView {
  readonly state: LiveState;
  readonly connection: Connection;
  /** When the last event came, milliseconds since 1970. */
  readonly seenAt: number;
  /** Grows with each return after a loss, so that series are read anew. */
  readonly returns: number;
}

/** The app's one event stream. Events are gathered and told to the page at most four times a second. */
class LiveStore {
  private view: LiveView = { state: EMPTY_LIVE, connection: "live", seenAt: Date.now(), returns: 0 };
  private readonly listeners = new Set<() => void>();
  private waiting: LiveEvent[] = [];
  private source: EventSource | null = null;
  private lastId = "";
  private seenAt = Date.now();
  private timers: number[] = [];
  private painted = 0;
  private client: QueryClient | null = null;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly read = (): LiveView => this.view;

  start(client: QueryClient): () => void {
    this.client = client;
    this.seenAt = Date.now();
    this.open();
    this.timers.push(window.setInterval(() => this.paint(), PAINT_MS));
    return () => this.stop();
  }

  private stop(): void {
    this.source?.close();
    this.source = null;
    this.timers.forEach((timer) => window.clearInterval(timer));
    this.timers = [];
  }

  private open(): void {
    this.source?.close();
    // The browser sends Last-Event-ID by itself when it reconnects, but not when the stream had to be opened anew.
    const source = new EventSource(this.lastId === "" ? "/api/v1/events" : `/api/v1/events?last_event_id=${this.lastId}`);
    source.onopen = () => { this.seenAt = Date.now(); };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED && this.source === source) {
        this.timers.push(window.setTimeout(() => this.source === source && this.open(), RETRY_MS));
      }
    };
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => this.receive(kind, event as MessageEvent<string>));
    }
    this.source = source;
  }

  private receive(kind: string, event: MessageEvent<string>): void {
    this.seenAt = Date.now();
    this.lastId = event.lastEventId === "" ? this.lastId : event.lastEventId;
    const raw = event.data === "" ? {} : (JSON.parse(event.data) as Record<string, unknown>);
    const wrapped = "kind" in raw && "data" in raw;
    const data = wrapped ? raw["data"] : raw;
    const runId = (raw["run_id"] ?? (data as Record<string, unknown> | null)?.["run_id"] ?? null) as string | null;
    this.waiting.push({ id: kind === "ping" ? "" : event.lastEventId, kind, runId, data });
  }

  private paint(): void {
    const now = Date.now();
    const link = connection(now, this.seenAt);
    const due = !document.hidden || now - this.painted >= HIDDEN_PAINT_MS;
    const news = this.waiting.some((event) => event.kind !== "ping");
    if (!due || (!news && link === this.view.connection)) {
      return;
    }
    const events = this.waiting;
    this.waiting = [];
    this.painted = now;
    const returned = link === "live" && this.view.connection !== "live";
    const state = reduceLive(this.view.state, events);
    this.view = { state, connection: link, seenAt: this.seenAt, returns: this.view.returns + (returned ? 1 : 0) };
    this.readAgain(events, returned);
    this.listeners.forEach((listener) => listener());
  }

  private readAgain(events: readonly LiveEvent[], returned: boolean): void {
    if (returned || events.some((e) => e.kind === "reset")) {
      void this.client?.invalidateQueries();
      return;
    }
    const changed = new Set(events.filter((e) => e.kind === "note" || e.kind === "checkpoint" || e.kind === "run").map((e) =>
      e.runId ?? (e.data as { id?: string }).id ?? ""));
    changed.forEach((id) => void this.client?.invalidateQueries({ queryKey: ["run", id] }));
    const sweeps = new Set(events.filter((e) => e.kind === "sweep").map((e) => (e.data as { id?: string }).id ?? ""));
    sweeps.forEach((id) => void this.client?.invalidateQueries({ queryKey: ["sweep", id] }));
    if (sweeps.size > 0) {
      void this.client?.invalidateQueries({ queryKey: ["sweeps"] });
    }
    if (events.some((e) => e.kind === "worker" || e.kind === "run")) {
      void this.client?.invalidateQueries({ queryKey: ["workers"] });
    }
  }
}

export const live = new LiveStore();

/** What the stream told, painted at most four times a second. */
export function useLive(): LiveView {
  return useSyncExternalStore(live.subscribe, live.read);
}
