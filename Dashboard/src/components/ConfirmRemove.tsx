import type { WorkerView } from "../api/types";
import { Confirm } from "./Confirm";

interface Props {
  readonly worker: WorkerView | null;
  readonly onKeep: () => void;
  readonly onRemove: () => void;
}

/** A removed machine needs a new code to come back. */
export function ConfirmRemove({ worker, onKeep, onRemove }: Props) {
  return (
    <Confirm opened={worker !== null} title={`Remove ${worker?.name ?? ""} from the pool?`} onKeep={onKeep} act="Remove machine" onAct={onRemove}>
      Its runs go on elsewhere from their last checkpoint. To come back it has to join with a new code.
    </Confirm>
  );
}
