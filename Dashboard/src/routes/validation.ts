import { useEffect, useRef, useState } from "react";
import { ApiError } from "../api/client";
import { validateRun } from "../api/runs";
import type { DeviceFit, FieldError, ModelCost, Spec } from "../api/types";

const PAUSE_MS = 300;

export interface ValidationState {
  readonly errors: readonly FieldError[];
  readonly pending: boolean;
  /** Set when the coordinator could not be asked. */
  readonly trouble: string;
  /** Of the last spec without errors. */
  readonly cost: ModelCost | null;
  readonly fits: readonly DeviceFit[];
}

/** Asks the coordinator what it would say to the spec, a moment after the last key. */
export function useValidation(spec: Spec | null): ValidationState {
  const [state, setState] = useState<ValidationState>({ errors: [], pending: true, trouble: "", cost: null, fits: [] });
  const text = spec === null ? "" : JSON.stringify(spec);
  const first = useRef(true);
  useEffect(() => {
    if (text === "") {
      return undefined;
    }
    const abort = new AbortController();
    setState((old) => ({ ...old, pending: true }));
    const timer = window.setTimeout(() => {
      first.current = false;
      validateRun(JSON.parse(text) as Spec, abort.signal).then(
        (answer) => setState((old) => (answer.errors.length > 0
          ? { ...old, errors: answer.errors, pending: false, trouble: "" }
          : { errors: [], pending: false, trouble: "", cost: answer.cost ?? null, fits: answer.fits })),
        (cause: unknown) => {
          if (!abort.signal.aborted) {
            const errors = cause instanceof ApiError ? cause.errors : [];
            setState((old) => ({ ...old, errors: errors.length > 0 ? errors : old.errors, pending: false, trouble: errors.length > 0 ? "" : (cause as Error).message }));
          }
        },
      );
    }, first.current ? 0 : PAUSE_MS);
    return () => {
      abort.abort();
      window.clearTimeout(timer);
    };
  }, [text]);
  return state;
}
