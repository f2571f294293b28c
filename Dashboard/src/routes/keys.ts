import { useEffect, useRef } from "react";

const SEQUENCE_MS = 1000;

/** Handlers by key ("n", "?", "Escape") or by two keys ("g r"). Quiet while something is being typed or a dialog is open. */
export function useKeys(handlers: Readonly<Record<string, (() => void) | undefined>>): void {
  const latest = useRef(handlers);
  useEffect(() => { latest.current = handlers; });
  useEffect(() => {
    let before = "";
    let at = 0;
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      const typing = target.closest("input:not([type=checkbox]):not([type=range]), textarea, select, [contenteditable=true], [role=dialog], [role=menu], [role=listbox]") !== null;
      if (typing || event.ctrlKey || event.metaKey || event.altKey) {
        return;
      }
      const pair = event.timeStamp - at < SEQUENCE_MS ? `${before} ${event.key}` : "";
      const handler = latest.current[pair] ?? latest.current[event.key];
      before = event.key;
      at = event.timeStamp;
      if (handler !== undefined) {
        event.preventDefault();
        handler();
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}
