import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { request } from "./client";
import type { JoinCode, ModelsResponse, WorkerView } from "./types";

export function useWorkers() {
  return useQuery({ queryKey: ["workers"], queryFn: ({ signal }) => request<WorkerView[]>("/workers", { signal }), refetchInterval: 15_000 });
}

/** A new one-time code; each call makes one. */
export function useJoinCode() {
  return useMutation({ mutationFn: () => request<JoinCode>("/workers/join-codes", { method: "POST" }) });
}

export function useModels() {
  return useQuery({ queryKey: ["models"], queryFn: ({ signal }) => request<ModelsResponse>("/models", { signal }), staleTime: 600_000 });
}

export type WorkerVerb = "drain" | "undrain" | "remove";

/** Drain, undrain or remove a machine; the pool is read again after it. */
export function useWorkerAction() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, verb }: { id: string; verb: WorkerVerb }) =>
      verb === "remove" ? request<unknown>(`/workers/${id}`, { method: "DELETE" }) : request<unknown>(`/workers/${id}/${verb}`, { method: "POST" }),
    onSettled: () => client.invalidateQueries({ queryKey: ["workers"] }),
  });
}
