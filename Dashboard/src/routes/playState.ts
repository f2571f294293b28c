import { useCallback, useEffect, useReducer, useRef } from "react";
import { followGeneration, startGeneration, stopGeneration } from "../api/generations";
import { ApiError } from "../api/client";
import type { CheckpointChoice, FieldError, GenerationEvent, GenerationView } from "../api/types";
import { exchange, isUnderWay, requestOf, take } from "../model/playground";
import type { Exchange, Knobs, PlayMode } from "../model/playground";

type Action =
  | { readonly kind: "ask"; readonly question: string }
  | { readonly kind: "begin"; readonly index: number }
  | { readonly kind: "event"; readonly index: number; readonly event: GenerationEvent; readonly now: number }
  | { readonly kind: "skip" }
  | { readonly kind: "clear" };

function reduce(all: readonly Exchange[], action: Action): readonly Exchange[] {
  switch (action.kind) {
    case "ask":
      return [...all, exchange(action.question)];
    case "begin":
      return all.map((one, i) => (i === action.index ? { ...one, state: "asking" } : one));
    case "event":
      return all.map((one, i) => (i === action.index ? take(one, action.event, action.now) : one));
    case "skip":
      return all.filter((one) => one.state !== "next");
    case "clear":
      return [];
  }
}

export interface Conversation {
  readonly exchanges: readonly Exchange[];
  readonly busy: boolean;
  readonly ask: (question: string) => void;
  readonly stop: () => void;
  readonly clear: () => void;
}

interface Wishes {
  readonly choice: CheckpointChoice | null;
  readonly mode: PlayMode;
  readonly knobs: Knobs;
  /** Where the request was placed, or which fields are wrong. */
  readonly onPlaced: (view: GenerationView) => void;
  readonly onErrors: (errors: readonly FieldError[]) => void;
}

/** Questions to one checkpoint: one at a time, in the order in which they were asked, each after what was answered before. */
export function useConversation(wishes: Wishes): Conversation {
  const [exchanges, tell] = useReducer(reduce, []);
  const latest = useRef(wishes);
  useEffect(() => { latest.current = wishes; });
  const under = useRef<{ id: string | null; end: () => void } | null>(null);
  const busy = exchanges.some(isUnderWay);
  const next = exchanges.findIndex((one) => one.state === "next");

  const leave = useCallback(() => {
    const now = under.current;
    under.current = null;
    now?.end();
    if (now?.id) {
      void stopGeneration(now.id).catch(() => undefined);
    }
  }, []);

  useEffect(() => {
    const { choice, mode, knobs, onPlaced, onErrors } = latest.current;
    if (busy || next < 0 || choice === null) {
      return;
    }
    const mine: { id: string | null; end: () => void } = { id: null, end: () => undefined };
    under.current = mine;
    const told = (event: GenerationEvent) => {
      if (under.current === mine) {
        under.current = event.event === "token" || event.event === "loading" ? mine : null;
        tell({ kind: "event", index: next, event, now: Date.now() });
      }
    };
    const failed = (message: string) => told({ event: "failed", code: "lost", message });
    tell({ kind: "begin", index: next });
    startGeneration(requestOf(choice, mode, knobs, exchanges, next)).then((view) => {
      if (under.current !== mine) {
        void stopGeneration(view.id).catch(() => undefined);
        return;
      }
      mine.id = view.id;
      onPlaced(view);
      mine.end = followGeneration(view.id, told, () => failed("The coordinator no longer knows this request. Send it again."));
    }, (cause: unknown) => {
      onErrors(cause instanceof ApiError ? cause.errors : []);
      failed(cause instanceof Error ? cause.message : String(cause));
    });
  }, [busy, next, exchanges]);
  useEffect(() => leave, [leave]);

  return {
    exchanges,
    busy: busy || next >= 0,
    ask: (question) => tell({ kind: "ask", question }),
    stop: () => {
      tell({ kind: "skip" });
      const now = under.current;
      if (now?.id) {
        void stopGeneration(now.id).catch(() => undefined);
      } else if (now !== null) {
        // Not placed yet: whoever places it finds that nobody waits, and stops it.
        under.current = null;
        tell({ kind: "event", index: exchanges.findIndex(isUnderWay), event: { event: "stopped", reason: "It had not begun." }, now: Date.now() });
      }
    },
    clear: () => { leave(); tell({ kind: "clear" }); },
  };
}
