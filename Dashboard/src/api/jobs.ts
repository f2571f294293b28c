import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { request } from "./client";
import type { JobView, SaveSchedule, ScheduleView } from "./types";

const LOOK_MS = 5_000;

export function useSchedules() {
  return useQuery({ queryKey: ["schedules"], queryFn: ({ signal }) => request<ScheduleView[]>("/schedules", { signal }), refetchInterval: LOOK_MS });
}

/** Asked by admins alone: others may not see jobs. */
export function useJobs(admin: boolean) {
  return useQuery({ queryKey: ["jobs"], queryFn: ({ signal }) => request<JobView[]>("/jobs", { signal }), refetchInterval: LOOK_MS, enabled: admin });
}

export type ScheduleVerb = "enable" | "disable" | "delete";

/** Switches a schedule on or off, or deletes it; the list is read again after it. */
export function useScheduleAction() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, verb }: { id: string; verb: ScheduleVerb }) =>
      verb === "delete" ? request<unknown>(`/schedules/${id}`, { method: "DELETE" }) : request<unknown>(`/schedules/${id}/${verb}`, { method: "POST" }),
    onSettled: () => client.invalidateQueries({ queryKey: ["schedules"] }),
  });
}

/** Makes a schedule; its run is checked as a submission is. */
export function useCreateSchedule() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (schedule: SaveSchedule) => request<ScheduleView>("/schedules", { method: "POST", body: schedule }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["schedules"] }),
  });
}

/** Has a job done now; its result comes with a later look. */
export function useRunJob() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (name: string) => request<JobView>(`/jobs/${name}/run`, { method: "POST" }),
    onSettled: () => client.invalidateQueries({ queryKey: ["jobs"] }),
  });
}
