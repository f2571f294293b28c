import "../theme/playground.css";
import { Button, SegmentedControl } from "@mantine/core";
import { IconColumns2, IconLink, IconSquare } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { useCheckpoints } from "../api/generations";
import { useLive } from "../api/live";
import type { CheckpointChoice, FieldError, GenerationView } from "../api/types";
import { offWords, Problem } from "../components/Notices";
import { Composer } from "../components/playground/Composer";
import { Pane } from "../components/playground/Pane";
import type { Picked } from "../components/playground/Pane";
import { Sampling } from "../components/playground/Sampling";
import { TokenFacts } from "../components/playground/TokenFacts";
import { KNOBS, knobErrors } from "../model/playground";
import type { Knobs, PlayMode } from "../model/playground";
import { useConversation } from "./playState";

/** `/playground?a&b&mode`: ask one checkpoint, or two the same. */
export function PlaygroundRoute() {
  const checkpoints = useCheckpoints();
  const navigate = useNavigate();
  if (checkpoints.error && checkpoints.data === undefined) {
    return <><Head words="" /><Problem title="The checkpoints did not arrive" words={checkpoints.error.message} onRetry={() => void checkpoints.refetch()} /></>;
  }
  if (checkpoints.data === undefined) {
    return <><Head words="" /><div className="play-panes one" aria-busy><div className="panel play-pane"><div className="skeleton" style={{ height: 28, width: 260, margin: 14 }} /></div></div></>;
  }
  if (checkpoints.data.length === 0) {
    return (
      <>
        <Head words="" />
        <div className="panel nothing">
          <b className="strong">No checkpoint yet</b><span className="soft">Once a run has saved one, it can be asked here.</span>
          <Button variant="filled" style={{ marginTop: 8 }} onClick={() => void navigate("/runs/new")}>New run</Button>
        </div>
      </>
    );
  }
  return <Playing choices={checkpoints.data} />;
}

function Head({ words, children = null }: { words: string; children?: React.ReactNode }) {
  return <div className="page-head"><h1>Playground</h1><span className="small soft">{words}</span><span className="play-tools">{children}</span></div>;
}

function Playing({ choices }: { choices: readonly CheckpointChoice[] }) {
  const [params, setParams] = useSearchParams();
  const [knobs, setKnobs] = useState<Knobs>(KNOBS);
  const [errors, setErrors] = useState<readonly FieldError[]>([]);
  const [placed, setPlaced] = useState<GenerationView | null>(null);
  const [picked, setPicked] = useState<Picked | null>(null);
  const [copied, setCopied] = useState(false);
  const { connection } = useLive();
  const mode: PlayMode = params.get("mode") === "complete" ? "complete" : "chat";
  const find = (id: string | null) => choices.find((choice) => choice.id === id) ?? null;
  const chosen = [find(params.get("a")) ?? choices[0]!, ...(params.has("b") ? [find(params.get("b")) ?? choices[0]!] : [])];
  const shared = { mode, knobs, onPlaced: setPlaced, onErrors: setErrors };
  const first = useConversation({ ...shared, choice: chosen[0]! });
  const second = useConversation({ ...shared, choice: chosen[1] ?? null });
  const panes = chosen.length > 1 ? [first, second] : [first];
  useEffect(() => { setCopied(false); }, [params]);

  const put = (key: string, value: string | null) => setParams((old) => {
    const next = new URLSearchParams(old);
    if (value === null) {
      next.delete(key);
    } else {
      next.set(key, value);
    }
    return next;
  }, { replace: true });
  const clear = (pane: number) => {
    panes[pane]?.clear();
    setPicked((old) => (old?.pane === pane ? null : old));
  };
  const send = (question: string) => {
    const wrong = knobErrors(knobs);
    setErrors(wrong);
    if (wrong.length === 0) {
      panes.forEach((pane) => pane.ask(question));
    }
  };
  const pickedChoice = picked === null ? null : chosen[picked.pane] ?? null;
  const token = picked === null ? null : panes[picked.pane]?.exchanges[picked.exchange]?.tokens[picked.token] ?? null;
  const where = placed === null ? "" : `, on ${placed.device}${placed.beside_training ? " beside training" : ""}`;
  return (
    <div className="playground">
      <Head words={`${chosen.length > 1 ? "Two checkpoints, same question" : "One checkpoint"}${where}`}>
        <SegmentedControl className="segmented" size="xs" value={mode} data={[{ value: "chat", label: "Chat" }, { value: "complete", label: "Complete" }]} onChange={(value) => { panes.forEach((_, i) => clear(i)); put("mode", value === "chat" ? null : value); }} />
        {chosen.length > 1
          ? <Button className="btn" variant="default" leftSection={<IconSquare size={14} stroke={1.6} />} onClick={() => { clear(1); put("b", null); }}>One</Button>
          : <Button className="btn" variant="default" leftSection={<IconColumns2 size={14} stroke={1.6} />} onClick={() => put("b", (choices.find((choice) => choice.run_id !== chosen[0]!.run_id) ?? choices[0]!).id)}>Two</Button>}
        <Button className="btn" variant="default" leftSection={<IconLink size={14} stroke={1.6} />} onClick={() => void navigator.clipboard.writeText(window.location.href).then(() => setCopied(true))}>{copied ? "Copied" : "Link"}</Button>
      </Head>
      <div className={chosen.length > 1 ? "play-panes" : "play-panes one"}>
        {panes.map((pane, i) => (
          <Pane key={i} pane={i} choices={choices} choice={chosen[i]!} mode={mode} exchanges={pane.exchanges} picked={picked} onPick={setPicked}
            onChoose={(id) => { clear(i); put(i === 0 ? "a" : "b", id); }} onClear={() => clear(i)} />
        ))}
        <aside className="panel play-side" aria-label="Settings">
          <Sampling mode={mode} choices={chosen} knobs={knobs} errors={errors} onKnob={(name, value) => setKnobs({ ...knobs, [name]: value })} />
          <TokenFacts token={token} choice={pickedChoice} threshold={Number(knobs.halt_threshold)} />
        </aside>
      </div>
      <Composer mode={mode} panes={chosen.length} busy={panes.some((pane) => pane.busy)} off={offWords(connection)} onSend={send} onStop={() => panes.forEach((pane) => pane.stop())} />
    </div>
  );
}
