import { describe, expect, it } from "vitest";
import type { AttemptView, CheckpointView, LogEntry, RunNote, RunSummary } from "../api/types";
import { layStrip, memoryWords, shortModel, timeTicks, withResumes } from "./attempts";

const at = (minute: number) => new Date(Date.UTC(2026, 10, 22, 20, minute)).toISOString();
const now = Date.parse(at(50));
const attempt = (number: number, from: number, to: number | null, more: Partial<AttemptView> = {}): AttemptView => ({
  id: String(number), number, state: to === null ? "running" : "stopped", epoch: number, device: "studio/0", device_model: "NVIDIA GeForce RTX 3090",
  assigned_at: at(from), ended_at: to === null ? null : at(to), first_step: 0, last_step: 100, ...more,
});
const run = { state: "running", step: 260, total_steps: 400, seconds_left: 600 } as unknown as RunSummary;

describe("the strip", () => {
  it("shows attempts, the wait between them and the rest", () => {
    const strip = layStrip(run, [attempt(1, 0, 20), attempt(2, 30, null, { first_step: 100 })], [], now)!;
    expect(strip.blocks.map((b) => b.kind)).toEqual(["attempt", "gap", "attempt", "rest"]);
    expect(strip.blocks[1]!.sub).toBe("10\u00a0min");
    expect(strip.blocks[2]!.sub).toBe("steps 100 – 260");
    expect(strip.summary).toBe("2\u00a0attempts, 40\u00a0min on a card, 10\u00a0min waiting for one");
  });
  it("ends with the last attempt when the run is over", () => {
    const strip = layStrip({ ...run, state: "succeeded" } as RunSummary, [attempt(1, 0, 20)], [], now)!;
    expect(strip.blocks).toHaveLength(1);
    expect(strip.to).toBe(Date.parse(at(20)));
  });
  it("tells kept checkpoints from removed ones", () => {
    const checkpoint = { id: "c", step: 50, created_at: at(10), status: "removed" } as unknown as CheckpointView;
    expect(layStrip(run, [attempt(1, 0, null)], [checkpoint], now)!.marks[0]!.kept).toBe(false);
  });
  it("is absent before the first attempt", () => expect(layStrip(run, [], [], now)).toBeNull());
});

it("tells among the notes where a resumed run leaves the bits of an unbroken one", () => {
  const notes = [{ id: 1, at: at(1), kind: "started", text: "Trains on a.", step: 0 }, { id: 2, at: at(9), kind: "started", text: "Goes on.", step: 5 }] as RunNote[];
  const lines = [{ id: 7, at: at(8), text: "The checkpoint's threads was 1 and is 2: from here on not bit-equal." }, { id: 8, at: at(8), text: "reads The checkpoint's" }] as LogEntry[];
  expect(withResumes(notes, lines).map((n) => [n.id, n.kind])).toEqual([[1, "started"], [-7, "resumed"], [2, "started"]]);
});

it("says what was forecast beside what was used, of the newest attempt that knows", () => {
  expect(memoryWords([attempt(1, 0, 1)])).toBe("");
  expect(memoryWords([attempt(1, 0, null, { forecast_bytes: 9.9 * 2 ** 30 })])).toBe("forecast 9.9\u00a0GB");
  expect(memoryWords([attempt(2, 0, 1, { forecast_bytes: 9.9 * 2 ** 30, peak_bytes: 10.2 * 2 ** 30 }), attempt(1, 0, 1, { peak_bytes: 1 })])).toBe("forecast 9.9\u00a0GB, used at most 10.2\u00a0GB");
});

it("shortens card names and picks round ticks", () => {
  expect(shortModel("NVIDIA GeForce RTX 3090")).toBe("RTX 3090");
  const ticks = timeTicks(Date.parse(at(1)), Date.parse(at(58)), now);
  expect(ticks.length).toBeGreaterThan(3);
  expect(ticks.length).toBeLessThanOrEqual(9);
  expect(new Date(ticks[0]!.at).getSeconds()).toBe(0);
});
