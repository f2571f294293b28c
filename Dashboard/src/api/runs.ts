import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { query, request } from "./client";
import type { Page, RunDetail, RunState, RunSummary, SampleView, Spec, Validation } from "./types";

export const PAGE_SIZE = 100;
export type RunVerb = "pause" | "resume" | "cancel" | "checkpoint";

export interface RunFilter {
  readonly states: readonly RunState[];
  readonly family: string;
  readonly text: string;
}

/** One section of the list, by pages of 100 behind a cursor. */
export function useRunPages(filter: RunFilter, enabled = true) {
  const { states, family, text } = filter;
  return useInfiniteQuery({
    queryKey: ["runs", states.join(","), family, text],
    queryFn: ({ pageParam, signal }) =>
      request<Page<RunSummary>>(`/runs${query({ state: states.join(","), family, q: text, cursor: pageParam, limit: PAGE_SIZE })}`, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next ?? null,
    placeholderData: (old) => old,
    enabled,
  });
}

export function useRun(id: string) {
  return useQuery({ queryKey: ["run", id], queryFn: ({ signal }) => request<RunDetail>(`/runs/${id}`, { signal }), enabled: id !== "" });
}

export function useSamples(id: string) {
  return useQuery({ queryKey: ["run", id, "samples"], queryFn: ({ signal }) => request<SampleView[]>(`/runs/${id}/samples`, { signal }) });
}

/** Pause, resume, cancel, checkpoint; the list and the run are read again after it. */
export function useRunAction() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, verb }: { id: string; verb: RunVerb }) => request<unknown>(`/runs/${id}/${verb}`, { method: "POST" }),
    onSettled: (_data, _error, { id }) => {
      void client.invalidateQueries({ queryKey: ["run", id] });
      void client.invalidateQueries({ queryKey: ["runs"] });
    },
  });
}

export type CheckpointVerb = "check" | "discard";

/** Has the coordinator read a checkpoint from the store, or gives up one that cannot be used; the run is read again after it. */
export function useCheckpointAction(run: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, verb }: { id: string; verb: CheckpointVerb }) => request<unknown>(`/runs/${run}/checkpoints/${id}/${verb}`, { method: "POST" }),
    onSettled: () => client.invalidateQueries({ queryKey: ["run", run] }),
  });
}

/** Has a running run write a sample now; it comes with the next step. */
export function useSampleNow(id: string) {
  return useMutation({ mutationFn: (prompt: string) => request<unknown>(`/runs/${id}/sample`, { method: "POST", body: { prompt: prompt === "" ? null : prompt, max_tokens: null, temperature: null } }) });
}

export function validateRun(spec: Spec, signal?: AbortSignal): Promise<Validation> {
  return request<Validation>("/runs/validate", { method: "POST", body: { spec }, signal });
}

/** `key` makes a repeated submit of the same form one run. */
export function submitRun(spec: Spec, key: string): Promise<RunSummary> {
  return request<RunSummary>("/runs", { method: "POST", body: { spec }, headers: { "Idempotency-Key": key } });
}

export function checkpointFileUrl(run: string, checkpoint: string, file: string): string {
  return `/api/v1/runs/${run}/checkpoints/${checkpoint}/files/${encodeURIComponent(file)}`;
}
