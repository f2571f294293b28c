import "../theme/run.css";
import "../theme/runs.css";
import { Button } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useState } from "react";
import { Link, useSearchParams } from "react-router";
import { useJobs, useRunJob, useScheduleAction, useSchedules } from "../api/jobs";
import type { ScheduleVerb } from "../api/jobs";
import { maySubmit, useMe } from "../api/session";
import type { JobView, ScheduleView } from "../api/types";
import { Confirm } from "../components/Confirm";
import { Problem } from "../components/Notices";
import { ScheduleDialog } from "../components/ScheduleDialog";
import { clock, plural } from "../model/format";
import { isRefused, lastWords, nextWords } from "../model/schedules";
import { useNow } from "./time";

/** `/schedules`: runs by the clock, and for admins the pool's housekeeping. */
export function SchedulesRoute() {
  const me = useMe();
  const admin = me.data?.role === "admin";
  const may = maySubmit(me.data);
  const schedules = useSchedules();
  const jobs = useJobs(admin);
  const action = useScheduleAction();
  const run = useRunJob();
  const now = useNow(5_000);
  const [params, setParams] = useSearchParams();
  const like = params.get("like");
  const done = action.error ?? run.error;
  return (
    <>
      <div className="page-head"><h1>Schedules</h1>{schedules.data && <span className="small soft grow">{plural(schedules.data.length, "schedule")}</span>}
        {may && <Button leftSection={<IconPlus size={14} stroke={1.6} />} onClick={() => setParams({ like: "" })}>New schedule</Button>}
      </div>
      {may && like !== null && <ScheduleDialog like={like} onClose={() => setParams({})} />}
      {schedules.error && <Problem title="The schedules did not arrive" words={schedules.error.message} onRetry={() => void schedules.refetch()} />}
      {done && <Problem title="That was not done" words={done.message} />}
      {schedules.data?.length === 0 && (
        <div className="panel nothing">
          <b className="strong" style={{ fontSize: 14 }}>No run is on a schedule</b>
          <span className="soft">Have one submitted every night at half past two: like a run that was there before, or from its file:</span>
          <code>./hearth schedules create nightly run.yaml --cron "30 2 * * *" --zone Europe/Vienna</code>
        </div>
      )}
      {schedules.data && schedules.data.length > 0 && <ScheduleTable schedules={schedules.data} now={now} may={may} onVerb={(id, verb) => action.mutate({ id, verb })} />}
      {admin && (
        <>
          <div className="page-head" style={{ marginTop: 22 }}><h2>Jobs</h2><span className="small soft">the pool's housekeeping</span></div>
          {jobs.error && <Problem title="The jobs did not arrive" words={jobs.error.message} onRetry={() => void jobs.refetch()} />}
          {jobs.data && <JobTable jobs={jobs.data} now={now} onRun={(name) => run.mutate(name)} />}
        </>
      )}
    </>
  );
}

function ScheduleTable({ schedules, now, may, onVerb }: { schedules: readonly ScheduleView[]; now: number; may: boolean; onVerb: (id: string, verb: ScheduleVerb) => void }) {
  const [ending, setEnding] = useState<ScheduleView | null>(null);
  return (
    <div className="panel scroll-x">
      <Confirm opened={ending !== null} title={`Delete ${ending?.name ?? ""}?`} onKeep={() => setEnding(null)} act="Delete schedule" onAct={() => { onVerb(ending!.id, "delete"); setEnding(null); }}>
        It submits nothing any more. Runs that it submitted stay as they are.
      </Confirm>
      <table className="plain-table">
        <thead><tr><th scope="col">Name</th><th scope="col">When</th><th scope="col">Next</th><th scope="col">Last</th><th scope="col">What came of it</th><th scope="col"><span className="visually-hidden">Change</span></th></tr></thead>
        <tbody>
          {schedules.map((schedule) => (
            <tr key={schedule.id} className={schedule.enabled ? "" : "gone"}>
              <td className="strong">{schedule.name}</td>
              <td className="one-line"><code>{schedule.cron}</code> <span className="soft">{schedule.zone}</span></td>
              <td>{nextWords(schedule, now)}</td>
              <td>{schedule.last_fire_at ? clock(Date.parse(schedule.last_fire_at), now) : "never"}</td>
              <td style={{ color: isRefused(schedule) ? "var(--bad)" : undefined }}>
                {schedule.last_run_id ? <Link className="link" to={`/runs/${schedule.last_run_id}`}>{schedule.last_result}</Link> : schedule.last_result ?? ""}
              </td>
              <td className="right one-line">
                {may && (
                  <span className="row" style={{ justifyContent: "flex-end" }}>
                    <button className="link small" aria-label={`Switch ${schedule.name} ${schedule.enabled ? "off" : "on"}`} onClick={() => onVerb(schedule.id, schedule.enabled ? "disable" : "enable")}>{schedule.enabled ? "Switch off" : "Switch on"}</button>
                    <button className="link small" aria-label={`Delete ${schedule.name}`} onClick={() => setEnding(schedule)}>Delete…</button>
                  </span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function JobTable({ jobs, now, onRun }: { jobs: readonly JobView[]; now: number; onRun: (name: string) => void }) {
  return (
    <div className="panel scroll-x">
      <table className="plain-table">
        <thead><tr><th scope="col">Job</th><th scope="col">When (UTC)</th><th scope="col">Next</th><th scope="col">Last</th><th scope="col">What came of it</th><th scope="col"><span className="visually-hidden">Run</span></th></tr></thead>
        <tbody>
          {jobs.map((job) => (
            <tr key={job.name}>
              <td><b className="strong">{job.name}</b><div className="small soft" style={{ minWidth: 220, maxWidth: 380 }}>{job.does}</div></td>
              <td className="one-line"><code>{job.schedule}</code></td>
              <td className="one-line">{clock(Date.parse(job.next_at), now)}</td>
              <td className="one-line">{lastWords(job, now)}</td>
              <td style={{ color: job.last_failed ? "var(--bad)" : undefined }}>{job.last_result ?? ""}</td>
              <td className="right one-line"><button className="link small" aria-label={`Run ${job.name} now`} onClick={() => onRun(job.name)}>Run now</button></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
