import { expect, it } from "vitest";
import type { WorkerView } from "../api/types";
import { cardsOf, noted, poolWords } from "./pool";

const worker = (name: string, online: boolean, runs: (string | null)[], draining = false) => ({
  id: name, name, online, draining, agent_version: "1", joined_at: "", seen_at: "",
  devices: runs.map((run_id, index) => ({ name: `${name}/${index}`, run_id, info: { index, kind: "cpu", model: "CPU", uuid: "", memory_bytes: 1 } })),
}) as unknown as WorkerView;

it("tells what each device is doing", () => {
  const cards = cardsOf([worker("studio", true, ["r", null]), worker("attic", false, ["r"]), worker("cellar", true, [null], true)]);
  expect(cards.map((c) => [c.device.name, c.status])).toEqual([
    ["attic/0", "unreachable"], ["cellar/0", "draining"], ["studio/0", "training"], ["studio/1", "free"],
  ]);
});

it("says it in a sentence", () => {
  expect(poolWords([worker("studio", true, ["r", null])])).toBe("1 machine, 2 devices: 1 training, 1 free");
  expect(poolWords([])).toBe("0 machines, 0 devices");
});

it("keeps what went wrong with a worker for half a day", () => {
  const at = (name: string, hour: number) => ({ ...worker(name, true, []), note: "Was out of reach.", noted_at: `2026-01-02T${String(hour).padStart(2, "0")}:00:00Z` });
  const names = noted([at("attic", 1), worker("cellar", true, []), at("studio", 9), at("shed", 20)], Date.parse("2026-01-02T20:30:00Z")).map((w) => w.name);
  expect(names).toEqual(["shed", "studio"]);
});
