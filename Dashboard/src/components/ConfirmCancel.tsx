import { Button, Modal } from "@mantine/core";
import type { RunSummary } from "../api/types";
import { count, plural } from "../model/format";

interface Props {
  readonly runs: readonly RunSummary[];
  readonly onKeep: () => void;
  readonly onCancel: () => void;
}

/** The one question: a cancelled run cannot be resumed. */
export function ConfirmCancel({ runs, onKeep, onCancel }: Props) {
  const one = runs.length === 1 ? runs[0] : undefined;
  return (
    <Modal opened={runs.length > 0} onClose={onKeep} title={one ? `Cancel ${one.name}?` : `Cancel ${plural(runs.length, "run")}?`} size={420}
      closeButtonProps={{ "aria-label": "Keep training" }}>
      <p className="soft" style={{ margin: "6px 0 18px" }}>
        {one && one.step > 0 ? `It stops at step ${count(one.step)}. ` : ""}Checkpoints stay. {one ? "It" : "They"} cannot be resumed afterwards, only cloned.
      </p>
      <div className="row" style={{ justifyContent: "flex-end" }}>
        <Button onClick={onKeep} data-autofocus>Keep training</Button>
        <Button className="btn danger" onClick={onCancel}>{one ? "Cancel run" : `Cancel ${plural(runs.length, "run")}`}</Button>
      </div>
    </Modal>
  );
}
