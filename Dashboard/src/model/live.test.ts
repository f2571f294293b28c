import { describe, expect, it } from "vitest";
import type { RunSummary } from "../api/types";
import { connection, EMPTY_LIVE, reduceLive } from "./live";
import type { LiveEvent } from "./live";

const summary = (id: string, step: number, state = "running") => ({ id, step, state }) as unknown as RunSummary;
const event = (id: number, kind: string, runId: string | null, data: unknown = {}): LiveEvent => ({ id: String(id), kind, runId, data });

describe("the event reducer", () => {
  it("keeps the newest summary of a run", () => {
    const state = reduceLive(EMPTY_LIVE, [event(1, "progress", "a", summary("a", 5)), event(2, "progress", "a", summary("a", 6))]);
    expect(state.runs.get("a")?.step).toBe(6);
    expect(state.lastId).toBe("2");
  });
  it("passes over repeats after a resume", () => {
    const first = reduceLive(EMPTY_LIVE, [event(7, "progress", "a", summary("a", 9))]);
    const again = reduceLive(first, [event(6, "progress", "a", summary("a", 8)), event(7, "progress", "a", summary("a", 9))]);
    expect(again.runs.get("a")?.step).toBe(9);
    expect(again.lastId).toBe("7");
  });
  it("tells what to read again", () => {
    const state = reduceLive(EMPTY_LIVE, [event(1, "note", "a"), event(2, "checkpoint", "a"), event(3, "log", "b"), event(4, "run", "c", summary("c", 0))]);
    expect(state.details.get("a")).toBe(2);
    expect(state.logs.get("b")).toBe(1);
    expect(state.details.get("c")).toBe(1);
  });
  it("takes pings without an id", () => {
    const state = reduceLive(EMPTY_LIVE, [{ id: "", kind: "ping", runId: null, data: {} }]);
    expect(state.lastId).toBe("");
  });
  it("does not change what it was given", () => {
    reduceLive(EMPTY_LIVE, [event(1, "progress", "a", summary("a", 5))]);
    expect(EMPTY_LIVE.runs.size).toBe(0);
  });
});

it("names the connection by how long it was quiet", () => {
  expect(connection(5999, 0)).toBe("live");
  expect(connection(6000, 0)).toBe("reconnecting");
  expect(connection(10_000, 0)).toBe("lost");
});
