import { Menu } from "@mantine/core";
import { useState } from "react";
import { Link } from "react-router";
import type { CheckpointVerb } from "../api/runs";
import type { CheckpointView } from "../api/types";
import { clock, count, duration, fileSize, plural, trace } from "../model/format";
import { Confirm } from "./Confirm";
import { StateGlyph } from "./StateGlyph";

interface Props {
  readonly run: string;
  readonly checkpoints: readonly CheckpointView[];
  readonly now: number;
  readonly may: boolean;
  /** Id of the checkpoint that something was just asked of. */
  readonly busy: string | null;
  readonly fileUrl: (checkpoint: string, file: string) => string;
  readonly onVerb: (checkpoint: string, verb: CheckpointVerb) => void;
}

/** What is kept, what was removed, and what must not be used. */
export function CheckpointsTable({ run, checkpoints, now, may, busy, fileUrl, onVerb }: Props) {
  const [ending, setEnding] = useState<CheckpointView | null>(null);
  const rows = [...checkpoints].sort((a, b) => b.step - a.step || b.created_at.localeCompare(a.created_at));
  const kept = rows.filter((c) => c.status === "kept");
  if (rows.length === 0) {
    return <div className="panel nothing"><b className="strong">No checkpoint yet</b><span className="soft">They are listed here as soon as the first one is committed.</span></div>;
  }
  return (
    <>
      <p className="soft small" style={{ margin: "2px 0 10px" }}>{plural(kept.length, "checkpoint")} kept of {count(rows.length)} written, {fileSize(kept.reduce((sum, c) => sum + c.bytes, 0))} in the store.</p>
      <Confirm opened={ending !== null} title={`Discard the checkpoint of step ${count(ending?.step ?? 0)}?`} onKeep={() => setEnding(null)} act="Discard checkpoint" onAct={() => { onVerb(ending!.id, "discard"); setEnding(null); }}>
        It is {ending?.status}. Once it is discarded it is not looked for any more, and the run goes on from an earlier one, or from the start if there is none.
      </Confirm>
      <div className="panel scroll-x">
        <table className="plain-table">
          <thead><tr><th scope="col">Step</th><th scope="col">Time</th><th scope="col">Status</th><th scope="col" className="right">Size</th><th scope="col" className="right">Pause</th><th scope="col" className="one-line">Trace at this step</th><th scope="col"><span className="visually-hidden">Files</span></th></tr></thead>
          <tbody>
            {rows.map((checkpoint) => (
              <tr key={checkpoint.id} className={checkpoint.status === "kept" ? "" : "gone"}>
                <td className="strong">{count(checkpoint.step)}</td>
                <td>{clock(Date.parse(checkpoint.created_at), now)}</td>
                <td><Status checkpoint={checkpoint} /></td>
                <td className="right">{fileSize(checkpoint.bytes)}</td>
                <td className="right">{duration(checkpoint.pause_seconds)}</td>
                <td><span className="mono" title={trace(checkpoint.trace)}>{trace(checkpoint.trace).slice(0, 9)}</span></td>
                <td className="right one-line">
                  <span className="row" style={{ justifyContent: "flex-end" }}>
                    {checkpoint.status === "kept" && <><Link className="link small" to={`/playground?a=${checkpoint.id}`}>Ask</Link>{may && <Link className="link small" to={`/runs/new?from=${run}&tune=${checkpoint.step}`} aria-label={`Tune the checkpoint of step ${count(checkpoint.step)}`} title="A run that learns conversations from this checkpoint on">Tune…</Link>}<Files checkpoint={checkpoint} fileUrl={fileUrl} /></>}
                    {may && checkpoint.status !== "removed" && (
                      <button className="link small" disabled={busy === checkpoint.id} title="Has the coordinator read it from the store and compare it with its manifest" aria-label={`Check the checkpoint of step ${count(checkpoint.step)}`}
                        onClick={() => onVerb(checkpoint.id, "check")}>Check</button>
                    )}
                    {may && isBad(checkpoint.status) && <button className="link small" aria-label={`Discard the checkpoint of step ${count(checkpoint.step)}`} onClick={() => setEnding(checkpoint)}>Discard…</button>}
                  </span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function isBad(status: string): boolean {
  return status !== "kept" && status !== "removed";
}

function Status({ checkpoint }: { checkpoint: CheckpointView }) {
  const { status, note } = checkpoint;
  return (
    <span className="row" style={{ gap: 6 }}>
      <StateGlyph state={status === "kept" ? "succeeded" : isBad(status) ? "failed" : "cancelled"} title={status} />
      <span className={isBad(status) ? "bad" : ""}>{note === null || note === undefined ? status : isBad(status) ? `${status}: ${note}` : note}</span>
    </span>
  );
}

function Files({ checkpoint, fileUrl }: { checkpoint: CheckpointView; fileUrl: Props["fileUrl"] }) {
  if (checkpoint.files.length === 0) {
    return null;
  }
  return (
    <Menu shadow="md" position="bottom-end">
      <Menu.Target><button className="link small">Download</button></Menu.Target>
      <Menu.Dropdown>
        {checkpoint.files.map((file) => (
          <Menu.Item key={file.name} component="a" href={fileUrl(checkpoint.id, file.name)} download rightSection={<span className="dim small">{fileSize(file.bytes)}</span>}>{file.name}</Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
