import { Button, Modal } from "@mantine/core";
import type { ReactNode } from "react";

interface Props {
  readonly opened: boolean;
  /** The question. */
  readonly title: string;
  /** What comes of a yes. */
  readonly children: ReactNode;
  /** Words of the yes. */
  readonly act: string;
  /** Words of the no. */
  readonly keep?: string;
  readonly onKeep: () => void;
  readonly onAct: () => void;
}

/** One question before what cannot be undone; the no has the focus. */
export function Confirm({ opened, title, children, act, keep = "Keep it", onKeep, onAct }: Props) {
  return (
    <Modal opened={opened} onClose={onKeep} title={title} size={420} closeButtonProps={{ "aria-label": keep }}>
      <p className="soft" style={{ margin: "6px 0 18px" }}>{children}</p>
      <div className="row" style={{ justifyContent: "flex-end" }}>
        <Button onClick={onKeep} data-autofocus>{keep}</Button>
        <Button className="btn danger" onClick={onAct}>{act}</Button>
      </div>
    </Modal>
  );
}
