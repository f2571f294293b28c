import type { JobView, ScheduleView } from "../api/types";
import { clock, duration } from "./format";

/** When a schedule fires next, or that it does not. */
export function nextWords(schedule: ScheduleView, now: number): string {
  return schedule.next_at ? clock(Date.parse(schedule.next_at), now) : "off";
}

/** When a job was done last and how long it took: "03:43, 19 ms"; "never" before its first turn. */
export function lastWords(job: JobView, now: number): string {
  if (job.running_since) {
    return `at work since ${clock(Date.parse(job.running_since), now)}`;
  }
  return job.last_started_at ? `${clock(Date.parse(job.last_started_at), now)}, ${duration(Number(job.last_seconds ?? 0))}` : "never";
}

/** Whether what came of a schedule's last time is nothing that it was made for. */
export function isRefused(schedule: ScheduleView): boolean {
  return schedule.last_result?.startsWith("Refused") ?? false;
}
