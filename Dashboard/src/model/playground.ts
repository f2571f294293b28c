import type { ChatTurn, CheckpointChoice, FieldError, GenerationEvent, GenerationStatistics, StartGeneration, TokenEvent } from "../api/types";
import { count, duration, magnitude, NB, percent, plural } from "./format";

export type PlayMode = "chat" | "complete";

/** One question to one checkpoint and what came of it. */
export interface Exchange {
  readonly question: string;
  readonly state: "next" | "asking" | "running" | "done" | "stopped" | "failed";
  readonly tokens: readonly TokenEvent[];
  /** What the worker is busy with before the first token. */
  readonly loading: string;
  /** When the first token came, and the newest, milliseconds. */
  readonly firstAt: number;
  readonly newestAt: number;
  readonly statistics: GenerationStatistics | null;
  /** Why it ended early. */
  readonly words: string;
}

export function exchange(question: string): Exchange {
  return { question, state: "next", tokens: [], loading: "", firstAt: 0, newestAt: 0, statistics: null, words: "" };
}

export function isUnderWay(one: Exchange): boolean {
  return one.state === "asking" || one.state === "running";
}

/** What an event makes of an exchange. */
export function take(one: Exchange, event: GenerationEvent, now: number): Exchange {
  switch (event.event) {
    case "loading":
      return { ...one, loading: event.fraction > 0 && event.fraction < 1 ? `${event.what}, ${percent(event.fraction)}` : event.what };
    case "token":
      return { ...one, state: "running", tokens: [...one.tokens, event], firstAt: one.tokens.length === 0 ? now : one.firstAt, newestAt: now };
    case "done":
      return { ...one, state: "done", statistics: event.statistics };
    case "stopped":
      return { ...one, state: "stopped", words: event.reason };
    case "failed":
      return { ...one, state: "failed", words: event.message };
  }
}

export function answerText(one: Exchange): string {
  return one.tokens.map((token) => token.text).join("");
}

/** A token's text without the white space before it, which is not underlined. */
export function parted(text: string): { readonly space: string; readonly word: string } {
  const word = text.trimStart();
  return { space: text.slice(0, text.length - word.length), word };
}

/** White space made visible: "·fire", "⏎". */
export function visible(text: string): string {
  return text === "" ? "∅" : text.replaceAll(" ", "·").replaceAll("\n", "⏎").replaceAll("\t", "→");
}

/** "19 tokens", "0.09 s", "211 tok/s", and what speculation saved. */
export function answerFacts(one: Exchange): readonly string[] {
  const { statistics: done } = one;
  if (done === null) {
    const seconds = (one.newestAt - one.firstAt) / 1000;
    const words = [one.state === "running" ? `${plural(one.tokens.length, "token")} so far` : plural(one.tokens.length, "token")];
    return seconds > 0.2 ? [...words, speed((one.tokens.length - 1) / seconds)] : words;
  }
  const facts = [plural(done.tokens, "token"), duration(done.seconds)];
  if (done.tokens > 1) {
    facts.push(speed(done.tokens_per_second));
  }
  if (done.passes) {
    facts.push(`${(done.tokens / done.passes).toFixed(1)}${NB}tokens a pass`);
  }
  if (!done.warm) {
    facts.push(`first after ${duration(done.first_token_seconds)}, with loading`);
  }
  return facts;
}

function speed(perSecond: number): string {
  const [number, letter] = magnitude(perSecond);
  return `${number}${NB}${letter === "" ? "" : `${letter}${NB}`}tok/s`;
}

/** Of 1 to 4: how deep a token went, for its underline. */
export function depth(loops: number, most: number): number {
  return most <= 1 ? 1 : 1 + Math.round(((Math.min(loops, most) - 1) / (most - 1)) * Math.min(3, most - 1));
}

/** Loops that the legend shows: all up to four, else four from the least to the most. */
export function legendLoops(most: number): readonly number[] {
  return most <= 4 ? Array.from({ length: most }, (_, i) => i + 1) : [0, 1, 2, 3].map((i) => 1 + Math.round((i * (most - 1)) / 3));
}

/** What all answers of a pane say about its loop: "mean 1.9 of 4, 53 % skipped". */
export function loopWords(all: readonly Exchange[], most: number): string {
  const loops = all.flatMap((one) => one.tokens).flatMap((token) => token.loops ?? []);
  if (loops.length === 0) {
    return "";
  }
  const mean = loops.reduce((sum, n) => sum + n, 0) / loops.length;
  return `mean ${mean.toFixed(1)} of ${most}, ${percent(1 - mean / most)} skipped`;
}

/** What all answers of a pane say about its drafts: "85 % kept, output = greedy". */
export function draftWords(all: readonly Exchange[]): string {
  const done = all.flatMap((one) => one.statistics ?? []).filter((s) => (s.drafted ?? 0) > 0);
  const drafted = done.reduce((sum, s) => sum + (s.drafted ?? 0), 0);
  const kept = done.reduce((sum, s) => sum + (s.drafts_kept ?? 0), 0);
  return drafted === 0 ? "" : `${percent(kept / drafted)} kept, output = greedy`;
}

/** Why a looped model stopped where it did. */
export function haltWords(token: TokenEvent, most: number, threshold: number | null): string {
  if (!token.loops) {
    return "";
  }
  return token.loops >= most || threshold === null ? `Ran loop ${token.loops} of ${most}.` : `Halted after loop ${token.loops} of ${most} at the threshold of ${threshold}.`;
}

/** The knobs as typed; the API checks ranges and answers in its own words. */
export interface Knobs {
  readonly temperature: string;
  readonly top_p: string;
  readonly top_k: string;
  readonly max_tokens: string;
  readonly seed: string;
  readonly halt_threshold: string;
  readonly template: string;
  readonly speculative: boolean;
  readonly keep_memory: boolean;
}

export const KNOBS: Knobs = {
  temperature: "0.8", top_p: "1", top_k: "50", max_tokens: "128", seed: "0", halt_threshold: "0.5", template: "auto", speculative: false, keep_memory: false,
};

const NUMBERS = { temperature: "a number", top_p: "a number", top_k: "a whole number", max_tokens: "a whole number", seed: "a whole number", halt_threshold: "a number" } as const;
export type NumberKnob = keyof typeof NUMBERS;

/** Knobs that hold no number at all. */
export function knobErrors(knobs: Knobs): readonly FieldError[] {
  return (Object.keys(NUMBERS) as NumberKnob[]).flatMap((field) => {
    const value = knobs[field].trim();
    const good = value !== "" && Number.isFinite(Number(value)) && (NUMBERS[field] === "a number" || Number.isInteger(Number(value)));
    return good ? [] : [{ field, value, allowed: NUMBERS[field], message: `${field} is ${value === "" ? "empty" : value}. Allowed: ${NUMBERS[field]}.` }];
  });
}

/** The turns of a conversation that a next question follows: what failed is left out of it. */
export function turnsBefore(all: readonly Exchange[], index: number): readonly ChatTurn[] {
  return all.slice(0, index).filter((one) => (one.state === "done" || one.state === "stopped") && answerText(one) !== "").flatMap((one) => [
    { role: "user", text: one.question },
    { role: "assistant", text: answerText(one) },
  ]);
}

/** The request of question `index`, with only those knobs that the checkpoint's model has. */
export function requestOf(choice: CheckpointChoice, mode: PlayMode, knobs: Knobs, all: readonly Exchange[], index: number): StartGeneration {
  const { question } = all[index]!;
  const speculative = knobs.speculative && choice.drafts > 0;
  return {
    checkpoint_id: choice.id,
    ...(mode === "chat" ? { messages: [...turnsBefore(all, index), { role: "user", text: question }], template: knobs.template } : { prompt: question }),
    max_tokens: Number(knobs.max_tokens),
    temperature: knobs.speculative ? 0 : Number(knobs.temperature),
    top_k: Number(knobs.top_k),
    top_p: Number(knobs.top_p),
    seed: Number(knobs.seed),
    ...(choice.loops > 1 ? { halt_threshold: Number(knobs.halt_threshold) } : {}),
    speculative,
    keep_memory: knobs.keep_memory && choice.memory && index > 0,
    chances: 5,
  };
}

/** "pretrain, 2.46 M". */
export function choiceWords(choice: CheckpointChoice): string {
  const [divisor, letter] = choice.parameters >= 1e9 ? [1e9, "B"] : [1e6, "M"];
  return `${choice.task}, ${Number((choice.parameters / divisor).toPrecision(3))}${NB}${letter}`;
}

/** Newest checkpoint of each run first, then its older ones: what the picker lists. */
export function choicesByRun(choices: readonly CheckpointChoice[]): { group: string; items: { value: string; label: string }[] }[] {
  const runs = new Map<string, CheckpointChoice[]>();
  for (const choice of choices) {
    runs.set(choice.run_id, [...(runs.get(choice.run_id) ?? []), choice]);
  }
  return [...runs.values()].map((of) => ({
    group: `${of[0]!.run_name}, ${of[0]!.title}`,
    items: [...of].sort((a, b) => b.step - a.step).map((choice) => ({ value: choice.id, label: `${choice.run_name} · step ${count(choice.step)}` })),
  }));
}
