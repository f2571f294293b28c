import { Button } from "@mantine/core";
import { IconFlame, IconPlugConnected } from "@tabler/icons-react";
import { useState } from "react";
import { useNavigate } from "react-router";
import { useDatasets, useModels, useWorkers } from "../api/pool";
import { submitRun } from "../api/runs";
import type { PresetView, WorkerView } from "../api/types";
import { RunsSkeleton } from "../components/ListStates";
import { Problem } from "../components/Notices";
import { StateGlyph } from "../components/StateGlyph";
import { count, fileSize, gigabytes } from "../model/format";
import { getField } from "../model/specForm";
import { shortModel } from "../model/attempts";

/** `/runs` before the first run: what will be here, and the one button that fills it. */
export function FirstStart() {
  const models = useModels();
  const workers = useWorkers();
  const worker = workers.data?.find((w) => w.online);
  const preset = models.data?.presets[0];
  return (
    <>
      <div className="page-head"><h1>Runs</h1></div>
      <div className="first">
        <h2 className="lead">Nothing is training yet</h2>
        <p className="say">{worker ? `${worker.name} is in the pool. ` : "No machine is in the pool yet; runs wait until one is. "}A first run touches every part: data, training, checkpoints and samples.</p>
        <div className="first-grid">
          {preset && <FirstRun preset={preset} />}
          {worker ? <InPool worker={worker} /> : <JoinFirst />}
        </div>
        <p className="dim small" style={{ margin: "26px 10px 10px" }}>Your runs will be listed here</p>
        <RunsSkeleton rows={4} fade />
      </div>
    </>
  );
}

function FirstRun({ preset }: { preset: PresetView }) {
  const navigate = useNavigate();
  const datasets = useDatasets();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const [key] = useState(() => crypto.randomUUID());
  const dataset = datasets.data?.find((d) => d.name === getField(preset.spec, "data.dataset"));
  const facts: [string, string][] = [
    ["Model", `${String(getField(preset.spec, "model.family"))} ${String(getField(preset.spec, "model.size"))}`],
    ...(dataset ? [["Text", fileSize(dataset.bytes)] as [string, string]] : []),
    ["Steps", count(Number(getField(preset.spec, "train.steps") ?? 1000))],
    ["Tokens a step", count(Number(getField(preset.spec, "train.batch_tokens") ?? 4096))],
  ];
  const start = async () => {
    setBusy(true);
    try {
      const run = await submitRun(preset.spec, key);
      void navigate(`/runs/${run.id}/overview`);
    } catch (cause) {
      setError((cause as Error).message);
      setBusy(false);
    }
  };
  return (
    <div className="panel">
      <div className="first-title"><StateGlyph state="free" title="Ready" />Train a first model</div>
      <p className="soft">{preset.title}. {preset.summary}</p>
      <div className="boxes">{facts.map(([name, value]) => <div key={name}><div className="tiny dim">{name}</div><div className="strong small">{value}</div></div>)}</div>
      {error !== "" && <Problem title="It was not submitted" words={error} />}
      <div className="row" style={{ marginTop: error === "" ? 0 : 10 }}>
        <Button variant="filled" leftSection={<IconFlame size={14} stroke={1.6} />} loading={busy} onClick={() => void start()}>Start it</Button>
        <Button onClick={() => void navigate("/runs/new")}>Choose another</Button>
        <span className="small dim" style={{ marginLeft: "auto" }}>or <code>./hearth demo</code></span>
      </div>
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

function JoinFirst() {
  const navigate = useNavigate();
  return (
    <div className="panel">
      <div className="first-title"><IconPlugConnected size={16} stroke={1.6} aria-hidden />Lend a machine</div>
      <p className="soft" style={{ marginBottom: 12 }}>One line on the machine whose card you want to lend. It opens no port.</p>
      <Button onClick={() => void navigate("/pool?join=1")}>Join a machine</Button>
    </div>
  );
}
