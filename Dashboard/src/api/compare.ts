import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { request } from "./client";
import type { CompareAxis, Comparison } from "./types";

const LOOK_MS = 10_000;

/** Runs beside each other, as `r-1,r-4` or `s-2`; looked at again while one of them goes on. */
export function useComparison(runs: string, metric: string, axis: CompareAxis) {
  return useQuery({
    queryKey: ["compare", runs, metric, axis],
    queryFn: ({ signal }) => request<Comparison>(`/compare?${new URLSearchParams({ runs, metric, axis }).toString()}`, { signal }),
    enabled: runs !== "",
    placeholderData: keepPreviousData,
    refetchInterval: (query) => (query.state.data?.runs.some((run) => run.state === "running" || run.state === "starting") ? LOOK_MS : false),
  });
}
