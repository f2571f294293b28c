import type { FieldError, JobView, ScheduleView } from "../api/types";
import { clock, duration } from "./format";

/** Times that people ask for most; the first one is proposed. */
export const CRONS = [
  { cron: "30 2 * * *", words: "every night" },
  { cron: "0 * * * *", words: "every hour" },
  { cron: "30 2 * * 1-5", words: "nights of workdays" },
  { cron: "0 3 * * 0", words: "Sundays" },
] as const;

/** Names of time zones that the browser knows, and UTC, which some leave out. */
export const ZONES: readonly string[] = ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")];

/** The zone of the person at the page; UTC where the browser's name of it is none that a schedule may have. */
export function ownZone(): string {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return ZONES.includes(own) ? own : "UTC";
}

/** What the API says of a field; null when nothing is wrong with it. */
export function wrongField(errors: readonly FieldError[], field: string): string | null {
  return errors.find((e) => e.field === field)?.message ?? null;
}

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
