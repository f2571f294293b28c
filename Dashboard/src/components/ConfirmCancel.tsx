import type { RunSummary } from "../api/types";
import { count, plural } from "../model/format";
import { Confirm } from "./Confirm";

interface Props {
  readonly runs: readonly RunSummary[];
  readonly onKeep: () => void;
  readonly onCancel: () => void;
}

/** The one question: a cancelled run cannot be resumed. */
export function ConfirmCancel({ runs, onKeep, onCancel }: Props) {
  const one = runs.length === 1 ? runs[0] : undefined;
  return (
    <Confirm opened={runs.length > 0} title={one ? `Cancel ${one.name}?` : `Cancel ${plural(runs.length, "run")}?`} keep="Keep training" onKeep={onKeep}
      act={one ? "Cancel run" : `Cancel ${plural(runs.length, "run")}`} onAct={onCancel}>
      {one && one.step > 0 ? `It stops at step ${count(one.step)}. ` : ""}Checkpoints stay. {one ? "It" : "They"} cannot be resumed afterwards, only cloned.
    </Confirm>
  );
}
