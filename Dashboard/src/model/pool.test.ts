import { expect, it } from "vitest";
import type { WorkerView } from "../api/types";
import { cardsOf, poolWords } from "./pool";

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
