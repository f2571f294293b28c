import { Button, Textarea } from "@mantine/core";
import { IconPlayerStop, IconSend2 } from "@tabler/icons-react";
import { useState } from "react";
import type { PlayMode } from "../../model/playground";

interface Props {
  readonly mode: PlayMode;
  readonly panes: number;
  readonly busy: boolean;
  /** Why nothing can be sent now; empty when it can. */
  readonly off: string;
  readonly onSend: (question: string) => void;
  readonly onStop: () => void;
}

/** Where questions are typed: Enter sends, Shift Enter is a new line. */
export function Composer({ mode, panes, busy, off, onSend, onStop }: Props) {
  const [text, setText] = useState("");
  const send = () => {
    if (off === "" && text.trim() !== "") {
      onSend(mode === "chat" ? text.trim() : text);
      setText("");
    }
  };
  const placeholder = mode === "chat" ? (panes > 1 ? "Ask both…" : "Ask…") : "The beginning of a text…";
  return (
    <form className="panel composer" onSubmit={(e) => { e.preventDefault(); send(); }}>
      <Textarea className="grow" variant="unstyled" aria-label={mode === "chat" ? "Question" : "Beginning of a text"} placeholder={placeholder} autosize minRows={1} maxRows={6} value={text} onChange={(e) => setText(e.currentTarget.value)}
        onKeyDown={(e) => {
          if (e.key === "Enter" && !e.shiftKey && !e.nativeEvent.isComposing) {
            e.preventDefault();
            send();
          }
        }} />
      <span className="small soft hint">Shift ↵ for a new line</span>
      {busy && <Button className="btn" variant="default" leftSection={<IconPlayerStop size={14} stroke={1.6} />} onClick={onStop}>Stop</Button>}
      <Button className="btn" variant="filled" type="submit" disabled={off !== ""} title={off} leftSection={<IconSend2 size={14} stroke={1.6} />}>Send</Button>
    </form>
  );
}
