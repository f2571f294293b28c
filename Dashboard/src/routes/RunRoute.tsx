import "../theme/run.css";
import "../theme/runs.css";
import { useMediaQuery } from "@mantine/hooks";
import { useState } from "react";
import { Link, useNavigate, useParams, useSearchParams } from "react-router";
import { ApiError } from "../api/client";
import { useLive } from "../api/live";
import { checkpointFileUrl, useCheckpointAction, useRun, useRunAction } from "../api/runs";
import type { RunVerb } from "../api/runs";
import { maySubmit, useMe } from "../api/session";
import type { RunDetail, RunSummary } from "../api/types";
import { CheckpointsTable } from "../components/CheckpointsTable";
import { ConfigView } from "../components/ConfigView";
import { ConfirmCancel } from "../components/ConfirmCancel";
import { offWords, Problem } from "../components/Notices";
import { RunHead } from "../components/RunHead";
import { getField } from "../model/specForm";
import { useKeys } from "./keys";
import { RunLogs } from "./RunLogs";
import { RunOverview } from "./RunOverview";
import { RunSamples } from "./RunSamples";
import { ChartToolsOfUrl } from "./chartState";
import { useNow } from "./time";

const TABS = [["overview", "Overview"], ["logs", "Logs"], ["samples", "Samples"], ["checkpoints", "Checkpoints"], ["config", "Config"]] as const;

/** `/runs/:id/:tab`. */
export function RunRoute() {
  const { id = "", tab = "overview" } = useParams();
  const run = useRun(id);
  const { state } = useLive();
  if (run.data === undefined) {
    const missing = run.error instanceof ApiError && run.error.status === 404;
    return run.error === null ? null : (
      <div style={{ paddingTop: 60 }}>
        <Problem title={missing ? "There is no such run" : "The run did not arrive"} words={missing ? "It may have been on another pool." : run.error.message} {...(missing ? {} : { onRetry: () => void run.refetch() })} />
      </div>
    );
  }
  const told = state.runs.get(id);
  const detail = told === undefined ? run.data : { ...run.data, summary: newest(run.data.summary, told) };
  return <RunPage key={id} run={detail} tab={TABS.some(([name]) => name === tab) ? tab : "overview"} />;
}

/** An event is newer than what was read unless the run has ended since. */
function newest(read: RunSummary, told: RunSummary): RunSummary {
  return read.ended_at && !told.ended_at ? read : told;
}

function RunPage({ run, tab }: { run: RunDetail; tab: string }) {
  const navigate = useNavigate();
  const [params] = useSearchParams();
  const phone = useMediaQuery("(max-width: 759px)") ?? false;
  const now = useNow(1000);
  const action = useRunAction();
  const checkpoint = useCheckpointAction(run.summary.id);
  const failed = action.error ?? checkpoint.error;
  const me = useMe();
  const { connection } = useLive();
  const [cancelling, setCancelling] = useState(false);
  const { summary } = run;
  const go = (name: string) => void navigate(`/runs/${summary.id}/${name}?${params.toString()}`);
  useKeys(Object.fromEntries(TABS.map(([name], i) => [String(i + 1), () => go(name)])));
  const onVerb = (verb: RunVerb) => (verb === "cancel" ? setCancelling(true) : action.mutate({ id: summary.id, verb }));
  return (
    <>
      <RunHead run={summary} exact={getField(run.spec, "train.exact") !== false} off={offWords(connection)} busy={action.isPending ? action.variables.verb : null} phone={phone}
        onVerb={onVerb} onClone={() => void navigate(`/runs/new?from=${summary.id}`)} onSchedule={() => void navigate(`/schedules?like=${summary.id}`)} />
      {failed && <Problem title="That was not done" words={failed.message} />}
      <div className="tabs">
        <div role="tablist" aria-label="Parts of the run">
          {TABS.map(([name, words]) => (
            <Link key={name} role="tab" className="tab" aria-selected={tab === name} to={`/runs/${summary.id}/${name}?${params.toString()}`}>
              {words}{name === "checkpoints" && run.checkpoints.length > 0 && <small>{run.checkpoints.filter((c) => c.status === "kept").length}</small>}
            </Link>
          ))}
        </div>
        {tab === "overview" && !phone && <ChartToolsOfUrl />}
      </div>
      {tab === "overview" && <RunOverview run={run} now={now} phone={phone} />}
      {tab === "logs" && <RunLogs run={summary} />}
      {tab === "samples" && <RunSamples run={run} now={now} />}
      {tab === "checkpoints" && (
        <CheckpointsTable run={run.summary.id} checkpoints={run.checkpoints} now={now} may={maySubmit(me.data)} busy={checkpoint.isPending ? checkpoint.variables.id : null}
          fileUrl={(c, f) => checkpointFileUrl(summary.id, c, f)} onVerb={(c, verb) => checkpoint.mutate({ id: c, verb })} />
      )}
      {tab === "config" && <ConfigView spec={run.spec} />}
      <ConfirmCancel runs={cancelling ? [summary] : []} onKeep={() => setCancelling(false)}
        onCancel={() => { setCancelling(false); action.mutate({ id: summary.id, verb: "cancel" }); }} />
    </>
  );
}
