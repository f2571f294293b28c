import { Button, Modal } from "@mantine/core";
import type { WorkerView } from "../api/types";

interface Props {
  readonly worker: WorkerView | null;
  readonly onKeep: () => void;
  readonly onRemove: () => void;
}

/** A removed machine needs a new code to come back. */
export function ConfirmRemove({ worker, onKeep, onRemove }: Props) {
  return (
    <Modal opened={worker !== null} onClose={onKeep} title={`Remove ${worker?.name ?? ""} from the pool?`} size={420} closeButtonProps={{ "aria-label": "Keep it" }}>
      <p className="soft" style={{ margin: "6px 0 18px" }}>Its runs go on elsewhere from their last checkpoint. To come back it has to join with a new code.</p>
      <div className="row" style={{ justifyContent: "flex-end" }}>
        <Button onClick={onKeep} data-autofocus>Keep it</Button>
        <Button className="btn danger" onClick={onRemove}>Remove machine</Button>
      </div>
    </Modal>
  );
}
