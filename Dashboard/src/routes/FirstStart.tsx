import { Button } from "@mantine/core";
import { IconFileText, IconFlame, IconPlugConnected } from "@tabler/icons-react";
import { useState } from "react";
import { useNavigate } from "react-router";
import { useDatasets } from "../api/datasets";
import { useModels, useWorkers } from "../api/pool";
import { submitRun } from "../api/runs";
import type { FieldRule, PresetView, WorkerView } from "../api/types";
import { AddText } from "../components/AddText";
import { RunsSkeleton } from "../components/ListStates";
import { Problem } from "../components/Notices";
import { StateGlyph } from "../components/StateGlyph";
import { count, fileSize, gigabytes, UNKNOWN } from "../model/format";
import { lean, onDataset } from "../model/presets";
import { getField } from "../model/specForm";
import { shortModel } from "../model/attempts";

/** `/runs` before the first run: what will be here, and the one button that fills it. */
export function FirstStart() {
  const models = useModels();
  const workers = useWorkers();
  const worker = workers.data?.find((w) => w.online);
  const preset = models.data?.presets[0];
  const size = models.data?.families.find((f) => f.name === getField(preset?.spec ?? null, "model.family"))?.sizes.find((s) => s.name === getField(preset?.spec ?? null, "model.size"));
  return (
    <>
      <div className="page-head"><h1>Runs</h1></div>
      <div className="first">
        <h2 className="lead">Nothing is training yet</h2>
        <p className="say">{worker ? `${worker.name} is in the pool. ` : "No machine is in the pool yet; runs wait until one is. "}A first run touches every part: data, training, checkpoints, a resume if you pause it, and samples.</p>
        <div className="first-grid">
          {preset && <FirstRun preset={preset} parameters={size?.parameters ?? null} rules={models.data!.fields} />}
          {worker ? <InPool worker={worker} /> : <JoinMachine title="Lend a machine" />}
        </div>
        {worker && <div style={{ marginTop: 14 }}><JoinMachine title="Lend a second machine" /></div>}
        <p className="dim small" style={{ margin: "26px 10px 10px" }}>Your runs will be listed here</p>
        <RunsSkeleton rows={4} fade />
      </div>
    </>
  );
}

function FirstRun({ preset, parameters, rules }: { preset: PresetView; parameters: number | null; rules: readonly FieldRule[] }) {
  const navigate = useNavigate();
  const datasets = useDatasets();
  const [busy, setBusy] = useState(false);
  const [adding, setAdding] = useState(false);
  const [error, setError] = useState("");
  const [key] = useState(() => crypto.randomUUID());
  const spec = onDataset(lean(preset.spec, rules), datasets.data ?? []);
  const dataset = datasets.data?.find((d) => d.name === getField(spec, "data.dataset"));
  const facts: [string, string][] = [
    ["Parameters", parameters === null ? UNKNOWN : count(parameters)],
    ["Text", dataset ? fileSize(dataset.bytes) : "not here yet"],
    ["Steps", count(Number(getField(spec, "train.steps")))],
    ["Tokens a step", count(Number(getField(spec, "train.batch_tokens")))],
  ];
  const start = async () => {
    setBusy(true);
    try {
      const run = await submitRun(spec, key);
      void navigate(`/runs/${run.id}/overview`);
    } catch (cause) {
      setError((cause as Error).message);
      setBusy(false);
    }
  };
  return (
    <div className="panel">
      <div className="first-title"><StateGlyph state="free" title="Ready" />Train a first model</div>
      <p className="soft">{preset.title} on {dataset ? <b className="strong">{dataset.name}</b> : "a text of yours"}: small enough for any machine, whole enough to see it learn.</p>
      <div className="boxes">{facts.map(([name, value]) => <div key={name}><div className="tiny dim">{name}</div><div className="strong small">{value}</div></div>)}</div>
      {error !== "" && <Problem title="It was not submitted" words={error} />}
      <div className="row" style={{ marginTop: error === "" ? 0 : 10 }}>
        {dataset
          ? <Button variant="filled" leftSection={<IconFlame size={14} stroke={1.6} />} loading={busy} onClick={() => void start()}>Start it</Button>
          : <Button variant="filled" leftSection={<IconFileText size={14} stroke={1.6} />} onClick={() => setAdding(true)}>Add a text…</Button>}
        <Button onClick={() => void navigate("/runs/new")}>Choose another</Button>
        <span className="small dim" style={{ marginLeft: "auto" }}>or <code>./hearth demo</code></span>
      </div>
      <AddText opened={adding} onClose={() => setAdding(false)} onAdded={() => void datasets.refetch()} />
    </div>
  );
}

function InPool({ worker }: { worker: WorkerView }) {
  return (
    <div className="panel">
      <div className="first-title"><StateGlyph state="succeeded" title="Ready" />{worker.name} is in the pool</div>
      <dl>
        {worker.devices.flatMap((device) => [
          <dt key={`${device.name} name`}>{device.name}</dt>,
          <dd key={device.name}>{shortModel(device.info.model)}, {gigabytes(device.info.memory_bytes)} GB</dd>,
        ])}
        <dt>Agent</dt><dd>{worker.agent_version}</dd>
      </dl>
    </div>
  );
}

function JoinMachine({ title }: { title: string }) {
  const navigate = useNavigate();
  return (
    <div className="panel row first-join">
      <IconPlugConnected size={16} stroke={1.6} aria-hidden />
      <b className="strong">{title}</b>
      <span className="soft grow">One line on the machine whose card you want to lend; no Docker, no open port.</span>
      <Button onClick={() => void navigate("/pool?join=1")}>Join a machine</Button>
    </div>
  );
}
