import { useRef } from "react";
import { useSearchParams } from "react-router";
import { useLive } from "../api/live";
import { useLogs } from "../api/logs";
import type { RunSummary } from "../api/types";
import { LogView } from "../components/LogView";
import { Problem } from "../components/Notices";
import { useKeys } from "./keys";

/** The log tab; the search text is in the address. */
export function RunLogs({ run }: { run: RunSummary }) {
  const { state, returns } = useLive();
  const [params, setParams] = useSearchParams();
  const search = useRef<HTMLInputElement>(null);
  const logs = useLogs(run.id, `${state.logs.get(run.id) ?? 0} ${run.step} ${run.state} ${returns}`);
  useKeys({ "/": () => search.current?.focus() });
  const onText = (text: string) => setParams((old) => {
    const next = new URLSearchParams(old);
    if (text === "") {
      next.delete("q");
    } else {
      next.set("q", text);
    }
    return next;
  }, { replace: true });
  return (
    <>
      {logs.error !== "" && <Problem title="The log did not arrive" words={logs.error} />}
      <LogView name={run.name} lines={logs.lines} loading={logs.loading} text={params.get("q") ?? ""} onText={onText} search={search} />
    </>
  );
}
