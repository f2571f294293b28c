import "../theme/run.css";
import "../theme/datasets.css";
import { Button } from "@mantine/core";
import { useState } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { useDataset, useDatasetRows, useRemoveDataset } from "../api/datasets";
import { maySubmit, useMe } from "../api/session";
import type { DatasetManifest, DatasetRow, DatasetView } from "../api/types";
import { Confirm } from "../components/Confirm";
import { Problem } from "../components/Notices";
import { badRows, kindWords, lengthBars, scriptBars } from "../model/datasets";
import type { Bar } from "../model/datasets";
import { clock, count, fileSize, percent, short } from "../model/format";
import { useNow } from "./time";

/** `/datasets/:id`: what a dataset has, what its import left out, and its documents. */
export function DatasetRoute() {
  const { id = "" } = useParams();
  const me = useMe();
  const dataset = useDataset(id);
  const remove = useRemoveDataset();
  const navigate = useNavigate();
  const now = useNow(60_000);
  const [ending, setEnding] = useState(false);
  const d = dataset.data;
  return (
    <>
      <div className="page-head"><h1><Link className="link" to="/datasets">Datasets</Link> / {d?.name ?? "…"}</h1>
        {d && <span className="small soft grow">{d.license}, added {clock(Date.parse(d.created_at), now)}</span>}
        {d && maySubmit(me.data) && <Button onClick={() => setEnding(true)}>Remove…</Button>}
      </div>
      <Confirm opened={ending} title={`Remove ${d?.name ?? ""}?`} onKeep={() => setEnding(false)} act="Remove dataset" onAct={() => { setEnding(false); remove.mutate(id, { onSuccess: () => void navigate("/datasets") }); }}>
        Runs that are over keep their results. One that has not ended keeps the dataset.
      </Confirm>
      {dataset.error && <Problem title="The dataset did not arrive" words={dataset.error.message} onRetry={() => void dataset.refetch()} />}
      {remove.error && <Problem title="It was not removed" words={remove.error.message} />}
      {d && <Figures dataset={d} />}
      {d?.manifest && <Shape manifest={d.manifest} />}
      {d?.manifest && <LeftOut manifest={d.manifest} />}
      {d && <Rows id={id} />}
    </>
  );
}

function Figures({ dataset }: { dataset: DatasetView }) {
  const m = dataset.manifest;
  const tokens = Object.entries(dataset.tokens);
  const facts: [string, string, string][] = [
    ["Documents", count(dataset.documents), dataset.kind === "chat" ? "conversations" : "texts"],
    ["Text", m ? fileSize(m.text_bytes) : fileSize(dataset.bytes), m ? `${short(m.characters)} letters and signs${m.turns > 0 ? `, ${short(m.turns)} turns` : ""}` : "as it is stored"],
    ["Duplicates", m ? count(m.duplicates) : "–", "left out"],
    ["Bad rows", m ? count(badRows(m)) : "–", "left out"],
    ["Tokens", tokens.length === 0 ? "–" : short(tokens[0]![1]), tokens.length === 0 ? "counted by the first run" : tokens.map(([v, n]) => `${short(n)} of a vocabulary of ${v}`).join(", ")],
  ];
  return (
    <div className="panel facts">
      {facts.map(([name, value, sub]) => <div key={name} className="fact"><div className="name">{name}</div><div className="value">{value}</div><div className="sub" title={sub}>{sub}</div></div>)}
    </div>
  );
}

function Shape({ manifest }: { manifest: DatasetManifest }) {
  return (
    <div className="shape">
      <section className="panel padded" aria-label="Lengths"><h2>Documents by length</h2><Columns bars={lengthBars(manifest.lengths)} /><p className="small soft">Letters and signs, from the number below a bar to twice as many.</p></section>
      <section className="panel padded" aria-label="Scripts"><h2>Letters by script</h2><Bars bars={scriptBars(manifest.scripts)} /></section>
    </div>
  );
}

function Columns({ bars }: { bars: readonly Bar[] }) {
  return (
    <div className="columns" role="list">
      {bars.map((bar) => (
        <div key={bar.label} role="listitem" className="column" title={`${count(bar.value)} documents from ${bar.label}`} aria-label={`${count(bar.value)} documents from ${bar.label}`}>
          <span className="small soft">{bar.value > 0 ? short(bar.value) : ""}</span><span className="fill" style={{ height: `${bar.value > 0 ? Math.max(2, bar.share * 100) : 0}px` }} /><span className="small">{bar.label}</span>
        </div>
      ))}
    </div>
  );
}

function Bars({ bars }: { bars: readonly Bar[] }) {
  return (
    <div className="bars" role="list">
      {bars.map((bar) => <div key={bar.label} role="listitem" className="bar" title={`${count(bar.value)} letters`}><span>{bar.label}</span><span className="track"><span className="fill" style={{ width: `${bar.share * 100}%` }} /></span><span className="small soft right">{percent(bar.share, 1)}</span></div>)}
    </div>
  );
}

function LeftOut({ manifest }: { manifest: DatasetManifest }) {
  const kinds = Object.entries(manifest.bad_rows).filter(([, n]) => n > 0);
  if (kinds.length + manifest.skipped.length === 0) {
    return null;
  }
  return (
    <section className="panel padded" aria-label="Left out">
      <h2>Left out</h2>
      <p className="soft">{[...kinds.map(([kind, n]) => `${count(n)} × ${kindWords(kind)}`), ...manifest.skipped.map((s) => `${count(s.count)} × ${s.reason}`)].join(", ")}</p>
      <div className="scroll-x">
        <table className="plain-table">
          <thead><tr><th scope="col">Where</th><th scope="col">What is wrong</th><th scope="col">More of it</th></tr></thead>
          <tbody>
            {manifest.bad_row_samples.map((row, i) => <tr key={i}><td className="one-line">{row.at}</td><td className="one-line">{kindWords(row.kind)}</td><td><code>{row.detail}</code></td></tr>)}
            {manifest.skipped.flatMap((s) => s.names.map((name) => <tr key={`${s.reason}/${name}`}><td className="one-line">{name}</td><td className="one-line">{s.reason}</td><td /></tr>))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Rows({ id }: { id: string }) {
  const rows = useDatasetRows(id);
  const all = rows.data?.pages.flatMap((p) => p.rows) ?? [];
  return (
    <section aria-label="Documents">
      <div className="page-head"><h2>Documents</h2><span className="small soft">as runs read them</span></div>
      {rows.error && <Problem title="The documents did not arrive" words={rows.error.message} onRetry={() => void rows.refetch()} />}
      <div className="documents">{all.map((row, i) => <Document key={i} row={row} />)}</div>
      {rows.hasNextPage && <div className="row" style={{ justifyContent: "center", padding: 12 }}><Button loading={rows.isFetchingNextPage} onClick={() => void rows.fetchNextPage()}>Show more</Button></div>}
    </section>
  );
}

function Document({ row }: { row: DatasetRow }) {
  return (
    <article className="panel padded document">
      <div className="small soft">{row.name}, {count(row.characters)} letters and signs{row.decision_label === null || row.decision_label === undefined ? "" : `, class ${row.decision_label}`}{row.is_cut ? "; its beginning:" : ""}</div>
      {row.turns ? row.turns.map((turn, i) => <div key={i} className={`turn ${turn.role}`}><span className="small soft">{turn.role}</span><p>{turn.content}</p></div>) : <p>{row.text}</p>}
    </article>
  );
}
