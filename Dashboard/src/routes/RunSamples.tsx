import { useEffect } from "react";
import { useSamples } from "../api/runs";
import type { RunSummary } from "../api/types";
import { Problem } from "../components/Notices";
import { Samples } from "../components/Samples";

const EVERY = 50;

/** Samples are read again as the run goes on. */
export function RunSamples({ run, now }: { run: RunSummary; now: number }) {
  const samples = useSamples(run.id);
  const { refetch } = samples;
  const mark = `${Math.floor(run.step / EVERY)} ${run.state}`;
  useEffect(() => void refetch(), [mark, refetch]);
  if (samples.error) {
    return <Problem title="The samples did not arrive" words={samples.error.message} onRetry={() => void refetch()} />;
  }
  return samples.data === undefined ? null : <Samples samples={samples.data} now={now} />;
}
