import { Menu } from "@mantine/core";
import { Link } from "react-router";
import type { CheckpointView } from "../api/types";
import { clock, count, duration, fileSize, plural, trace } from "../model/format";
import { StateGlyph } from "./StateGlyph";

interface Props {
  readonly checkpoints: readonly CheckpointView[];
  readonly now: number;
  readonly fileUrl: (checkpoint: string, file: string) => string;
}

/** What is kept, what was removed, and what must not be used. */
export function CheckpointsTable({ checkpoints, now, fileUrl }: Props) {
  const rows = [...checkpoints].sort((a, b) => b.step - a.step || b.created_at.localeCompare(a.created_at));
  const kept = rows.filter((c) => c.status === "kept");
  if (rows.length === 0) {
    return <div className="panel nothing"><b className="strong">No checkpoint yet</b><span className="soft">They are listed here as soon as the first one is committed.</span></div>;
  }
  return (
    <>
      <p className="soft small" style={{ margin: "2px 0 10px" }}>{plural(kept.length, "checkpoint")} kept of {count(rows.length)} written, {fileSize(kept.reduce((sum, c) => sum + c.bytes, 0))} in the store.</p>
      <div className="panel scroll-x">
        <table className="plain-table">
          <thead><tr><th scope="col">Step</th><th scope="col">Time</th><th scope="col">Status</th><th scope="col" className="right">Size</th><th scope="col" className="right">Pause</th><th scope="col">Trace at this step</th><th scope="col"><span className="visually-hidden">Files</span></th></tr></thead>
          <tbody>
            {rows.map((checkpoint) => (
              <tr key={checkpoint.id} className={checkpoint.status === "kept" ? "" : "gone"}>
                <td className="strong">{count(checkpoint.step)}</td>
                <td>{clock(Date.parse(checkpoint.created_at), now)}</td>
                <td><Status checkpoint={checkpoint} /></td>
                <td className="right">{fileSize(checkpoint.bytes)}</td>
                <td className="right">{duration(checkpoint.pause_seconds)}</td>
                <td><span className="mono" title={trace(checkpoint.trace)}>{trace(checkpoint.trace).slice(0, 9)}</span></td>
                <td className="right">{checkpoint.status === "kept" && <span className="row" style={{ justifyContent: "flex-end" }}><Link className="link small" to={`/playground?a=${checkpoint.id}`}>Ask</Link><Files checkpoint={checkpoint} fileUrl={fileUrl} /></span>}</td>
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
