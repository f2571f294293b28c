import { expect, it } from "vitest";
import type { CheckpointChoice, TokenEvent } from "../api/types";
import { answerFacts, choicesByRun, choiceWords, depth, draftWords, exchange, haltWords, KNOBS, knobErrors, legendLoops, loopWords, parted, requestOf, take, turnsBefore, visible } from "./playground";
import type { Exchange } from "./playground";

const token = (text: string, more: Partial<TokenEvent> = {}): TokenEvent => ({ event: "token", index: 0, token: 1, text, ...more });
const statistics = { prompt_tokens: 3, tokens: 12, first_token_seconds: 0.4, seconds: 0.09, tokens_per_second: 211, warm: true };
const answered = (question: string, answer: string, state: Exchange["state"] = "done"): Exchange => ({ ...exchange(question), state, tokens: [token(answer)] });
const choice = (more: Partial<CheckpointChoice> = {}) => ({
  id: "c", run_id: "r", run_number: 1, run_name: "gloss", task: "pretrain", family: "qovaryx", size: "nano", title: "Qovaryx nano", parameters: 158592,
  max_seq_len: 256, step: 120, created_at: "", loops: 1, drafts: 0, memory: false, ...more,
}) as CheckpointChoice;

it("grows an answer event by event", () => {
  let one = take(exchange("Why?"), { event: "loading", what: "fetching weights", fraction: 0.5 }, 0);
  expect(one.loading).toBe("fetching weights, 50\u00a0%");
  one = take(take(one, token("be"), 1000), token("cause"), 2000);
  expect([one.state, one.tokens.length, one.firstAt, one.newestAt]).toEqual(["running", 2, 1000, 2000]);
  expect(answerFacts(one)).toEqual(["2\u00a0tokens so far", "1\u00a0tok/s"]);
  one = take(one, { event: "done", reason: "end", statistics }, 2100);
  expect(answerFacts(one)).toEqual(["12\u00a0tokens", "90\u00a0ms", "211\u00a0tok/s"]);
  expect(take(one, { event: "failed", code: "lost", message: "studio went away." }, 0)).toMatchObject({ state: "failed", words: "studio went away." });
});

it("tells a cold start and what speculation saved", () => {
  const one = take(exchange("?"), { event: "done", reason: "length", statistics: { ...statistics, warm: false, passes: 5, drafted: 10, drafts_kept: 7 } }, 0);
  expect(answerFacts(one).slice(3)).toEqual(["2.4\u00a0tokens a pass", "first after 400\u00a0ms, with loading"]);
  expect(draftWords([one, exchange("next")])).toBe("70\u00a0% kept, output = greedy");
  expect(draftWords([])).toBe("");
});

it("says how deep a loop went", () => {
  expect([1, 2, 3, 4].map((loops) => depth(loops, 4))).toEqual([1, 2, 3, 4]);
  expect([1, 2].map((loops) => depth(loops, 2))).toEqual([1, 2]);
  expect([1, 4, 8].map((loops) => depth(loops, 8))).toEqual([1, 2, 4]);
  expect([legendLoops(2), legendLoops(4), legendLoops(8)]).toEqual([[1, 2], [1, 2, 3, 4], [1, 3, 6, 8]]);
  const one = { ...exchange("?"), tokens: [token("a", { loops: 1 }), token("b", { loops: 3 })] };
  expect(loopWords([one], 4)).toBe("mean 2.0 of 4, 50\u00a0% skipped");
  expect(haltWords(token("a", { loops: 3 }), 4, 0.8)).toBe("Halted after loop 3 of 4 at the threshold of 0.8.");
  expect(haltWords(token("a", { loops: 4 }), 4, 0.8)).toBe("Ran loop 4 of 4.");
  expect(haltWords(token("a"), 1, null)).toBe("");
});

it("keeps white space out of a token's underline", () => {
  expect(parted(" fire")).toEqual({ space: " ", word: "fire" });
  expect(parted("\n\n")).toEqual({ space: "\n\n", word: "" });
  expect(visible("\n\t x")).toBe("⏎→·x");
  expect(visible("")).toBe("∅");
});

it("asks with what came before, and without what failed", () => {
  const all = [answered("a", "1"), answered("b", "x", "failed"), answered("c", "3", "stopped"), exchange("d")];
  expect(turnsBefore(all, 3).map((turn) => turn.text)).toEqual(["a", "1", "c", "3"]);
  const chat = requestOf(choice(), "chat", KNOBS, all, 3);
  expect(chat.messages?.at(-1)).toEqual({ role: "user", text: "d" });
  expect(chat.prompt).toBeUndefined();
  expect(requestOf(choice(), "complete", KNOBS, all, 3)).toMatchObject({ prompt: "d", temperature: 0.8, seed: 0, max_tokens: 128 });
});

it("sends only the knobs that a model has", () => {
  const knobs = { ...KNOBS, speculative: true, keep_memory: true, halt_threshold: "0.3" };
  const all = [answered("a", "1"), exchange("b")];
  const plain = requestOf(choice(), "complete", knobs, all, 1);
  expect([plain.halt_threshold, plain.speculative, plain.keep_memory, plain.temperature]).toEqual([undefined, false, false, 0]);
  expect(requestOf(choice({ loops: 4 }), "complete", knobs, all, 1).halt_threshold).toBe(0.3);
  expect(requestOf(choice({ drafts: 3, memory: true }), "complete", knobs, all, 1)).toMatchObject({ speculative: true, keep_memory: true });
  expect(requestOf(choice({ memory: true }), "complete", knobs, all, 0).keep_memory).toBe(false);
});

it("names a knob that holds no number", () => {
  expect(knobErrors(KNOBS)).toEqual([]);
  expect(knobErrors({ ...KNOBS, temperature: "warm", seed: "1.5" }).map((e) => e.message)).toEqual([
    "temperature is warm. Allowed: a number.",
    "seed is 1.5. Allowed: a whole number.",
  ]);
});

it("lists checkpoints under their runs, newest step first", () => {
  const groups = choicesByRun([choice({ id: "1", step: 50 }), choice({ id: "2", run_id: "s", run_name: "other" }), choice({ id: "3", step: 120 })]);
  expect([choiceWords(choice({ parameters: 2_460_629 })), choiceWords(choice({ parameters: 1_053_966_336 }))]).toEqual(["pretrain, 2.46\u00a0M", "pretrain, 1.05\u00a0B"]);
  expect(groups.map((g) => [g.group, g.items.map((i) => i.value)])).toEqual([["gloss, Qovaryx nano", ["3", "1"]], ["other, Qovaryx nano", ["2"]]]);
});
