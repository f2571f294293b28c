import { Button, Modal } from "@mantine/core";
import { IconCopy } from "@tabler/icons-react";
import { useState } from "react";
import type { JoinCode, WorkerView } from "../api/types";
import { shortModel } from "../model/attempts";
import { gigabytes, NB } from "../model/format";
import { Problem } from "./Notices";
import { StateGlyph } from "./StateGlyph";

interface Props {
  readonly opened: boolean;
  readonly code: JoinCode | null;
  readonly error: string;
  readonly now: number;
  /** The machine that joined since the code was made. */
  readonly joined: WorkerView | null;
  readonly onNew: () => void;
  readonly onClose: () => void;
}

/** A one-time code in the one line that uses it, and what has come of it. */
export function JoinDialog({ opened, code, error, now, joined, onNew, onClose }: Props) {
  const left = code === null ? 0 : Math.max(0, Math.floor((Date.parse(code.expires_at) - now) / 1000));
  const expired = code !== null && left === 0 && joined === null;
  return (
    <Modal opened={opened} onClose={onClose} title="Join a machine" size={720} closeButtonProps={{ "aria-label": "Close" }}>
      <p className="soft" style={{ margin: "2px 0 12px", maxWidth: 580 }}>Run one line on the machine whose card you want to lend. It starts the agent, which connects outward only and opens no port.</p>
      {error !== "" && <Problem title="There is no code" words={error} onRetry={onNew} />}
      {code !== null && (
        <>
          <div className="row small">
            <span className={expired ? "bad grow right" : "soft grow right"} role="timer">{joined ? "The code was used" : expired ? "The code has expired" : `Good for one machine, ${clockLeft(left)} left`}</span>
            <button className="link" onClick={onNew}>New code</button>
          </div>
          <Command command={code.command} code={code.code} />
          <div className="join-steps" role="status">
            <Step done={joined !== null} busy={!expired} name={joined ? "Reached the coordinator" : "Waiting for the machine"} words={joined ? `as ${joined.name}, agent ${joined.agent_version}` : "nothing has used this code yet"} />
            <Step done={joined !== null} name={joined ? `Found ${joined.devices.length} ${joined.devices.length === 1 ? "device" : "devices"}` : "Devices"}
              words={joined ? joined.devices.map((d) => `${shortModel(d.info.model)}, ${gigabytes(d.info.memory_bytes)}${NB}GB`).join("; ") : "its agent names them"} />
            <Step done={joined?.online ?? false} name="In the pool" words={joined ? "takes the next run that fits" : ""} />
          </div>
        </>
      )}
      <div className="row" style={{ justifyContent: "flex-end", marginTop: 16 }}><Button onClick={onClose}>Done</Button></div>
    </Modal>
  );
}

function clockLeft(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function Step({ done, busy = false, name, words }: { done: boolean; busy?: boolean; name: string; words: string }) {
  return <div><StateGlyph state={done ? "succeeded" : busy ? "starting" : "queued"} title={done ? "Done" : "Waiting"} /><span className={done ? "strong" : "soft"}>{name}</span><span className="small">{words}</span></div>;
}

function Command({ command, code }: { command: string; code: string }) {
  const [copied, setCopied] = useState(false);
  const at = command.indexOf(code);
  return (
    <div className="join-command">
      <code><span className="dim">$ </span>{at < 0 ? command : <>{command.slice(0, at)}<mark>{code}</mark>{command.slice(at + code.length)}</>}</code>
      <Button leftSection={<IconCopy size={14} stroke={1.6} />} onClick={() => void navigator.clipboard.writeText(command).then(() => setCopied(true))}>{copied ? "Copied" : "Copy"}</Button>
    </div>
  );
}
