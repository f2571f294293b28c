import { useMutation, useQuery } from "@tanstack/react-query";
import { request } from "./client";
import type { DatasetView, JoinCode, ModelsResponse, WorkerView } from "./types";

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

export function useDatasets() {
  return useQuery({ queryKey: ["datasets"], queryFn: ({ signal }) => request<DatasetView[]>("/datasets", { signal }), staleTime: 30_000 });
}
