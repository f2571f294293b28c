import { useQuery } from "@tanstack/react-query";
import { request } from "./client";
import type { CheckpointChoice, GenerationEvent, GenerationView, StartGeneration } from "./types";

const KINDS = ["loading", "token", "done", "stopped", "failed"] as const;

/** Checkpoints that can be asked, newest first. */
export function useCheckpoints() {
  return useQuery({ queryKey: ["checkpoints"], queryFn: ({ signal }) => request<CheckpointChoice[]>("/checkpoints?limit=500", { signal }), staleTime: 5000 });
}

export function startGeneration(body: StartGeneration): Promise<GenerationView> {
  return request<GenerationView>("/generations", { method: "POST", body });
}

export function stopGeneration(id: string): Promise<unknown> {
  return request<unknown>(`/generations/${id}`, { method: "DELETE" });
}

/**
 * Tells each event of a request once, in order, until the last; the browser resumes a broken stream by its last id.
 * Returns what ends the listening. `onGone`: the coordinator knows no such request any more.
 */
export function followGeneration(id: string, onEvent: (event: GenerationEvent) => void, onGone: () => void): () => void {
  const source = new EventSource(`/api/v1/generations/${id}/events`);
  for (const kind of KINDS) {
    source.addEventListener(kind, (message) => {
      const event = JSON.parse((message as MessageEvent<string>).data) as GenerationEvent;
      if (event.event === "done" || event.event === "stopped" || event.event === "failed") {
        source.close();
      }
      onEvent(event);
    });
  }
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) {
      onGone();
    }
  };
  return () => source.close();
}
