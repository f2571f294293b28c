import { expect, test } from "vitest";
import type { JobView, ScheduleView } from "../api/types";
import { NB } from "./format";
import { isRefused, lastWords, nextWords, ownZone, wrongField, ZONES } from "./schedules";

const NOW = Date.parse("2026-11-30T12:00:00");
const job: JobView = { name: "blob-sweep", does: "Sweeps.", schedule: "*/15 * * * *", next_at: "2026-11-30T12:15:00", last_failed: false };
const schedule = { name: "nightly", enabled: true } as ScheduleView;

test("a job says when it was done and how long it took, that it is at work, or that it never was", () => {
  expect(lastWords(job, NOW)).toBe("never");
  expect(lastWords({ ...job, last_started_at: "2026-11-30T11:45:00", last_seconds: 0.019 }, NOW)).toBe(`11:45, 19${NB}ms`);
  expect(lastWords({ ...job, last_started_at: "2026-11-30T11:45:00", last_seconds: 1, running_since: "2026-11-30T11:59:00" }, NOW)).toBe("at work since 11:59");
});

test("a schedule says when it fires next, or that it is off, and whether it was refused", () => {
  expect(nextWords({ ...schedule, next_at: "2026-11-30T23:30:00" }, NOW)).toBe("23:30");
  expect(nextWords(schedule, NOW)).toBe("off");
  expect([isRefused(schedule), isRefused({ ...schedule, last_result: "Submitted r-3." }), isRefused({ ...schedule, last_result: "Refused: no." })]).toEqual([false, false, true]);
});

test("a zone can be chosen once each, UTC first, and the person's own is one of them", () => {
  expect(ZONES[0]).toBe("UTC");
  expect(new Set(ZONES).size).toBe(ZONES.length);
  expect(ZONES).toContain(ownZone());
});

test("what is wrong with a field is said in the API's words, and nothing of the others", () => {
  const errors = [{ field: "cron", value: "x", allowed: "five fields", message: "cron is x. Allowed: five fields." }];
  expect([wrongField(errors, "cron"), wrongField(errors, "zone")]).toEqual(["cron is x. Allowed: five fields.", null]);
});
