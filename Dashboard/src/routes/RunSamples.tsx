import { Button, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { useLive } from "../api/live";
import { useSampleNow, useSamples } from "../api/runs";
import type { RunDetail } from "../api/types";
import { offWords, Problem } from "../components/Notices";
import { Samples } from "../components/Samples";
import { count } from "../model/format";
import { isOver } from "../model/runs";
import { getField } from "../model/specForm";

const EVERY = 50;

/** Samples, read again as the run goes on; a running run can be asked for one. */
export function RunSamples({ run, now }: { run: RunDetail; now: number }) {
  const { summary } = run;
  const samples = useSamples(summary.id);
  const ask = useSampleNow(summary.id);
  const { connection } = useLive();
  const [prompt, setPrompt] = useState("");
  const { refetch } = samples;
  const mark = `${Math.floor(summary.step / EVERY)} ${summary.state}`;
  const asked = ask.isSuccess ? summary.step : 0;
  useEffect(() => void refetch(), [mark, asked, refetch]);
  if (samples.error) {
    return <Problem title="The samples did not arrive" words={samples.error.message} onRetry={() => void refetch()} />;
  }
  const off = offWords(connection);
  const usual = String(getField(run.spec, "sample.prompt") ?? "");
  return (
    <>
      {summary.state === "running" && (
        <form className="row" style={{ marginBottom: 10 }} onSubmit={(e) => { e.preventDefault(); ask.mutate(prompt); }}>
          <TextInput className="grow" style={{ maxWidth: 420 }} aria-label="Prompt" placeholder={usual === "" ? "A text to go on from" : usual} value={prompt} onChange={(e) => setPrompt(e.currentTarget.value)} />
          <Button type="submit" disabled={off !== "" || ask.isPending} title={off}>{ask.isPending ? "Asking…" : "Sample now"}</Button>
        </form>
      )}
      {ask.error && <Problem title="That was not done" words={ask.error.message} />}
      {samples.data && <Samples samples={samples.data} now={now} empty={emptyWords(run)} />}
    </>
  );
}

function emptyWords(run: RunDetail): string {
  const every = Number(getField(run.spec, "sample.every_steps") ?? 0);
  if (isOver(run.summary.state)) {
    return "The run ended without one.";
  }
  return every > 0 ? `The first text comes at step ${count(every)}.` : "This run writes none by itself (sample.every_steps is 0).";
}
