import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { request } from "./client";
import type { Spec, SweepDetail, SweepSummary, SweepValidation } from "./types";

/** A sweep's own events come at once; the steps of its trials are looked at again in between. */
const LOOK_MS = 5_000;

export function useSweeps() {
  return useQuery({ queryKey: ["sweeps"], queryFn: ({ signal }) => request<SweepSummary[]>("/sweeps", { signal }), refetchInterval: LOOK_MS });
}

export function useSweep(id: string) {
  return useQuery({
    queryKey: ["sweep", id],
    queryFn: ({ signal }) => request<SweepDetail>(`/sweeps/${id}`, { signal }),
    refetchInterval: (query) => (query.state.data?.summary.state === "running" ? LOOK_MS : false),
  });
}

/** Ends a sweep and the runs of its trials. */
export function useCancelSweep(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => request<unknown>(`/sweeps/${id}/cancel`, { method: "POST" }),
    onSettled: () => {
      void client.invalidateQueries({ queryKey: ["sweep", id] });
      void client.invalidateQueries({ queryKey: ["sweeps"] });
    },
  });
}

export function validateSweep(sweep: Spec, signal?: AbortSignal): Promise<SweepValidation> {
  return request<SweepValidation>("/sweeps/validate", { method: "POST", body: sweep, signal });
}

/** `key` makes a repeated submit of the same form one sweep. */
export function submitSweep(sweep: Spec, key: string): Promise<SweepSummary> {
  return request<SweepSummary>("/sweeps", { method: "POST", body: sweep, headers: { "Idempotency-Key": key } });
}
