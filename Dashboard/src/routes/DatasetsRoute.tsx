import "../theme/run.css";
import "../theme/datasets.css";
import { Button } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useState } from "react";
import type { DragEvent } from "react";
import { Link, useNavigate } from "react-router";
import { useCancelImport, useDatasets, useImports } from "../api/datasets";
import { maySubmit, useMe } from "../api/session";
import type { DatasetView, ImportView } from "../api/types";
import { AddText } from "../components/AddText";
import { Meter } from "../components/Meter";
import { Problem } from "../components/Notices";
import { importShare, importWords } from "../model/datasets";
import { clock, count, fileSize, plural } from "../model/format";
import { useNow } from "./time";

const MOST_OVER = 5;

/** `/datasets`: what runs can train on, and what is on its way there. Files may be dropped anywhere on it. */
export function DatasetsRoute() {
  const me = useMe();
  const may = maySubmit(me.data);
  const datasets = useDatasets();
  const imports = useImports();
  const navigate = useNavigate();
  const [adding, setAdding] = useState(false);
  const [dropped, setDropped] = useState<readonly File[]>([]);
  const [over, setOver] = useState(false);
  const drag = (event: DragEvent, on: boolean) => {
    if (may && event.dataTransfer.types.includes("Files")) {
      event.preventDefault();
      setOver(on);
    }
  };
  const drop = (event: DragEvent) => {
    drag(event, false);
    if (may && event.dataTransfer.files.length > 0) {
      setDropped([...event.dataTransfer.files]);
      setAdding(true);
    }
  };
  return (
    <div className={over ? "drop-page over" : "drop-page"} onDragOver={(e) => drag(e, true)} onDragLeave={(e) => drag(e, false)} onDrop={drop}>
      <div className="page-head"><h1>Datasets</h1>{datasets.data && <span className="small soft grow">{plural(datasets.data.length, "dataset")}</span>}
        {may && <Button leftSection={<IconPlus size={14} stroke={1.6} />} onClick={() => { setDropped([]); setAdding(true); }}>Add data</Button>}
      </div>
      <AddText opened={adding} dropped={dropped} onClose={() => setAdding(false)} onAdded={(dataset) => void navigate(`/datasets/${dataset.id}`)} />
      {datasets.error && <Problem title="The datasets did not arrive" words={datasets.error.message} onRetry={() => void datasets.refetch()} />}
      {imports.data && <Imports imports={imports.data} may={may} />}
      {datasets.data?.length === 0 && (
        <div className="panel nothing">
          <b className="strong" style={{ fontSize: 14 }}>There is no dataset yet</b>
          <span className="soft">Drop files here, or add them from a shell:</span>
          <code>./hearth datasets add notes.tar.gz --name notes --license "my own"</code>
        </div>
      )}
      {datasets.data && datasets.data.length > 0 && <DatasetTable datasets={datasets.data} />}
    </div>
  );
}

function DatasetTable({ datasets }: { datasets: readonly DatasetView[] }) {
  const now = useNow(60_000);
  return (
    <div className="panel scroll-x">
      <table className="plain-table">
        <thead><tr><th scope="col">Name</th><th scope="col">Kind</th><th scope="col" className="right">Documents</th><th scope="col" className="right">Size</th><th scope="col">Licence</th><th scope="col">Added</th></tr></thead>
        <tbody>
          {datasets.map((d) => (
            <tr key={d.id}>
              <td><Link className="link strong" to={`/datasets/${d.id}`}>{d.name}</Link></td>
              <td>{d.kind}</td>
              <td className="right">{count(d.documents)}</td>
              <td className="right one-line">{fileSize(d.bytes)}</td>
              <td>{d.license}</td>
              <td className="one-line">{clock(Date.parse(d.created_at), now)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Imports at work, and the last ones that came to nothing. */
function Imports({ imports, may }: { imports: readonly ImportView[]; may: boolean }) {
  const cancel = useCancelImport();
  const open = imports.filter((i) => i.state === "queued" || i.state === "running");
  const failed = imports.filter((i) => i.state === "failed").slice(0, MOST_OVER);
  if (open.length + failed.length === 0) {
    return null;
  }
  return (
    <div className="panel imports" aria-label="Imports">
      {[...open, ...failed].map((i) => (
        <div key={i.id} className="import-row">
          <b className="strong cut">{i.name}</b>
          <span className={i.state === "failed" ? "bad" : "soft"}>{importWords(i)}</span>
          {i.state === "failed" ? <span className="small soft">{i.source}</span> : <Meter value={importShare(i) ?? 0} starting={importShare(i) === null} label={`Import of ${i.name}`} height={6} />}
          {may && i.state !== "failed" ? <button className="link small" aria-label={`Cancel the import of ${i.name}`} onClick={() => cancel.mutate(i.id)}>Cancel</button> : <span />}
        </div>
      ))}
    </div>
  );
}
