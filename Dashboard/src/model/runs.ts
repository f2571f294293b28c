import type { RunState, RunSummary } from "../api/types";
import { clock, duration, NB } from "./format";

export type SectionName = "training" | "waiting" | "finished";

export const SECTION_STATES: Readonly<Record<SectionName, readonly RunState[]>> = {
  training: ["starting", "running", "preempting", "pausing"],
  waiting: ["queued", "paused"],
  finished: ["succeeded", "failed", "cancelled"],
};

const WORDS: Readonly<Record<RunState, string>> = {
  queued: "Waiting",
  starting: "Starting",
  running: "Training",
  preempting: "Giving way",
  pausing: "Pausing",
  paused: "Paused",
  succeeded: "Finished",
  failed: "Failed",
  cancelled: "Cancelled",
};

export function stateWord(state: RunState): string {
  return WORDS[state];
}

export function sectionOf(state: RunState): SectionName {
  return SECTION_STATES.training.includes(state) ? "training" : SECTION_STATES.waiting.includes(state) ? "waiting" : "finished";
}

export function isOver(state: RunState): boolean {
  return sectionOf(state) === "finished";
}

/** What may be done to a run in its state, by the same table as the coordinator's. */
export function allowedVerbs(state: RunState): { pause: boolean; resume: boolean; cancel: boolean; checkpoint: boolean } {
  return {
    pause: state === "queued" || state === "starting" || state === "running" || state === "preempting",
    resume: state === "paused",
    cancel: !isOver(state),
    checkpoint: state === "running",
  };
}

export function progressOf(run: RunSummary): number {
  return run.total_steps > 0 ? Math.min(1, run.step / run.total_steps) : 0;
}

const WRITTEN: Readonly<Record<string, string>> = { moa: "MoA", vuaf: "VUAF" };

/** "Qovaryx 50M": families and sizes as people write them. */
export function modelName(run: { family: string; size: string }): string {
  const family = WRITTEN[run.family] ?? run.family.charAt(0).toUpperCase() + run.family.slice(1);
  return `${family}${NB}${/^\d/.test(run.size) ? run.size.toUpperCase() : run.size}`;
}

export interface EndText {
  readonly at: string;
  readonly sub: string;
}

/** When a run ends, or ended, for the last column. */
export function endOf(run: RunSummary, now: number): EndText {
  if (run.ended_at) {
    return { at: clock(Date.parse(run.ended_at), now), sub: "" };
  }
  if (run.seconds_left === null || run.seconds_left === undefined || sectionOf(run.state) !== "training") {
    return { at: "–", sub: "" };
  }
  const at = clock(now + run.seconds_left * 1000, now);
  return { at, sub: `in ${duration(run.seconds_left)}` };
}

/** Seconds that a finished run took, from first step to end; null when it never started. */
export function tookSeconds(run: RunSummary): number | null {
  return run.started_at && run.ended_at ? (Date.parse(run.ended_at) - Date.parse(run.started_at)) / 1000 : null;
}

/** Tokens a second now; of a run that is over, over all of it. Null when neither is known. */
export function speedOf(run: RunSummary): number | null {
  const took = tookSeconds(run);
  return run.tokens_per_second ?? (took !== null && took > 0 && run.tokens > 0 ? run.tokens / took : null);
}

export interface ListFilter {
  readonly states: readonly RunState[];
  readonly family: string;
  readonly text: string;
}

/** True when the filter lets the run through; the same test as the server's, for rows that events bring. */
export function matches(run: RunSummary, filter: ListFilter): boolean {
  const text = filter.text.trim().toLowerCase();
  const words = [run.name, run.family, run.size, run.dataset, `r-${run.number}`, ...run.tags].join(" ").toLowerCase();
  return (
    (filter.states.length === 0 || filter.states.includes(run.state)) &&
    (filter.family === "" || run.family === filter.family) &&
    (text === "" || words.includes(text))
  );
}

export type Sections = Readonly<Record<SectionName, readonly RunSummary[]>>;

/** Rows as read, overlaid with what events told since, each in the section of its present state. */
export function intoSections(read: readonly RunSummary[], told: ReadonlyMap<string, RunSummary>, filter: ListFilter): Sections {
  const rows = new Map<string, RunSummary>();
  for (const run of [...read, ...told.values()]) {
    const before = rows.get(run.id);
    rows.set(run.id, newer(before, run));
  }
  const shown = [...rows.values()].filter((run) => matches(run, filter));
  const of = (name: SectionName) => shown.filter((run) => sectionOf(run.state) === name);
  return {
    training: of("training").sort((a, b) => a.number - b.number),
    waiting: of("waiting").sort((a, b) => weight(b) - weight(a) || a.number - b.number),
    finished: of("finished").sort((a, b) => (b.ended_at ?? b.created_at).localeCompare(a.ended_at ?? a.created_at) || b.number - a.number),
  };
}

/** Of two views of one run, the later: an ended one, else that with more steps, else the second. */
function newer(before: RunSummary | undefined, run: RunSummary): RunSummary {
  if (before === undefined) {
    return run;
  }
  return isOver(before.state) && !isOver(run.state) ? before : run;
}

function weight(run: RunSummary): number {
  return run.state === "paused" ? -1 : { low: 0, normal: 1, high: 2 }[run.priority];
}

/**
 * The sections in the order that was shown, with the runs' newest values, while the pointer or a selection is in the list.
 * `changes` counts the rows that would come, go or move. Finished rows that were nowhere before are further pages of the list:
 * they go to its end at once, or scrolling would show nothing new.
 */
export function heldOrder(shown: Sections, next: Sections): { sections: Sections; changes: number } {
  const names = ["training", "waiting", "finished"] as const;
  const newest = new Map(names.flatMap((name) => next[name]).map((run) => [run.id, run]));
  const hold = (name: SectionName) => shown[name].map((run) => newest.get(run.id) ?? run);
  const place = (sections: Sections) => new Map(names.flatMap((name) => sections[name].map((run) => [run.id, name] as const)));
  const before = place(shown);
  const after = place(next);
  const paged = next.finished.filter((run) => !before.has(run.id));
  paged.forEach((run) => before.set(run.id, "finished"));
  let changes = 0;
  for (const id of new Set([...before.keys(), ...after.keys()])) {
    changes += before.get(id) === after.get(id) ? 0 : 1;
  }
  return { sections: { training: hold("training"), waiting: hold("waiting"), finished: [...hold("finished"), ...paged] }, changes };
}

/** Names the filters that are set, for the empty list: "State is failed and text “qvx”". */
export function filterWords(filter: ListFilter): { key: "state" | "model" | "text"; words: string }[] {
  const words: { key: "state" | "model" | "text"; words: string }[] = [];
  if (filter.states.length > 0) {
    words.push({ key: "state", words: `State is ${filter.states.map((s) => stateWord(s).toLowerCase()).join(" or ")}` });
  }
  if (filter.family !== "") {
    words.push({ key: "model", words: `Model is ${filter.family}` });
  }
  if (filter.text.trim() !== "") {
    words.push({ key: "text", words: `text “${filter.text.trim()}”` });
  }
  return words;
}
