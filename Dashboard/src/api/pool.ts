import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { toDocuments, toJsonLines } from "../model/documents";
import { query, request } from "./client";
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

/** Makes a dataset of files: a single .jsonl as it is, texts as its documents. */
export function useAddText() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ files, name, license }: { files: readonly File[]; name: string; license: string }) => {
      const file = files.length === 1 && files[0]!.name.endsWith(".jsonl") ? files[0]! : new Blob([toJsonLines(toDocuments(await Promise.all(files.map((f) => f.text()))))]);
      return request<DatasetView>(`/datasets${query({ name, license, kind: "jsonl" })}`, { method: "POST", file });
    },
    onSuccess: () => client.invalidateQueries({ queryKey: ["datasets"] }),
  });
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
