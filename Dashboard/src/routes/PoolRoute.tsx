import "../theme/pool.css";
import "../theme/runs.css";
import { Button } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";
import { useSearchParams } from "react-router";
import { useLive } from "../api/live";
import { useJoinCode, useWorkerAction, useWorkers } from "../api/pool";
import type { WorkerVerb } from "../api/pool";
import { useMe } from "../api/session";
import type { WorkerView } from "../api/types";
import { ConfirmRemove } from "../components/ConfirmRemove";
import { DeviceCard } from "../components/DeviceCard";
import { JoinDialog } from "../components/JoinDialog";
import { Noted, Problem } from "../components/Notices";
import { clock } from "../model/format";
import { cardsOf, noted, poolWords } from "../model/pool";
import { useNow } from "./time";

/** `/pool`: machines and their devices; `?join=1` opens the dialog. */
export function PoolRoute() {
  const workers = useWorkers();
  const me = useMe();
  const { state } = useLive();
  const now = useNow(1000);
  const [params, setParams] = useSearchParams();
  const joining = params.get("join") === "1";
  const join = useJoinCode();
  const known = useRef<ReadonlySet<string>>(new Set());
  const all = withNews(workers.data ?? [], state.workers);
  const ask = () => {
    known.current = new Set(all.map((worker) => worker.id));
    join.mutate();
  };
  const admin = me.data?.role === "admin";
  const ready = workers.data !== undefined;
  useEffect(() => {
    if (joining && admin && ready && join.isIdle) {
      ask();
    }
    // Asks once per opening of the dialog.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [joining, admin, ready, join.isIdle]);
  const open = (on: boolean) => {
    join.reset();
    setParams(on ? { join: "1" } : {}, { replace: true });
  };
  const cards = cardsOf(all);
  const action = useWorkerAction();
  const [leaving, setLeaving] = useState<WorkerView | null>(null);
  const act = (worker: WorkerView, verb: WorkerVerb) => (verb === "remove" ? setLeaving(worker) : action.mutate({ id: worker.id, verb }));
  return (
    <>
      <div className="page-head">
        <h1>Pool</h1>
        {workers.data && <span className="small soft">{poolWords(all)}</span>}
        {admin && <div className="actions"><Button variant="filled" leftSection={<IconPlus size={14} stroke={1.6} />} onClick={() => open(true)}>Join a machine</Button></div>}
      </div>
      {workers.error && <Problem title="The pool did not arrive" words={workers.error.message} onRetry={() => void workers.refetch()} />}
      {action.error && <Problem title="That was not done" words={action.error.message} />}
      {all.filter((worker) => worker.problem).map((worker) => <Problem key={worker.id} title={`${worker.name} takes no runs`} words={worker.problem ?? ""} />)}
      {noted(all, now).map((worker) => <Noted key={worker.id} title={`${worker.name}, ${clock(Date.parse(worker.noted_at!), now)}`} words={worker.note!} />)}
      {workers.data && cards.length === 0 && (
        <div className="panel nothing">
          <b className="strong" style={{ fontSize: 14 }}>No machine is in the pool</b>
          <span className="soft">{admin ? "Its devices will be listed here. Runs wait until there is one." : "Somebody with the admin role can join one. Runs wait until there is one."}</span>
          {admin && <Button onClick={() => open(true)}>Join a machine</Button>}
        </div>
      )}
      <div className="cards">{cards.map((card) => <DeviceCard key={card.device.name} card={card} now={now} {...(admin ? { onVerb: (verb: WorkerVerb) => act(card.worker, verb) } : {})} />)}</div>
      <ConfirmRemove worker={leaving} onKeep={() => setLeaving(null)} onRemove={() => { action.mutate({ id: leaving!.id, verb: "remove" }); setLeaving(null); }} />
      <JoinDialog opened={joining && admin} code={join.data ?? null} error={join.error?.message ?? ""} now={now}
        joined={join.data ? all.find((worker) => !known.current.has(worker.id)) ?? null : null} onNew={ask} onClose={() => open(false)} />
    </>
  );
}

/** Workers as read, replaced by what events told later about them. */
function withNews(read: readonly WorkerView[], told: ReadonlyMap<string, WorkerView>): WorkerView[] {
  const rows = new Map(read.map((worker) => [worker.id, worker]));
  for (const worker of told.values()) {
    const before = rows.get(worker.id);
    if (before === undefined || Date.parse(worker.seen_at) >= Date.parse(before.seen_at)) {
      rows.set(worker.id, worker);
    }
  }
  return [...rows.values()];
}
