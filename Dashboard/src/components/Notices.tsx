import { Button } from "@mantine/core";
import { IconAlertTriangle, IconPlugConnectedX } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { clockSeconds, duration } from "../model/format";
import { StateGlyph } from "./StateGlyph";

/** Shown once the stream was quiet for 10 s. */
export function LostBanner({ seenAt }: { seenAt: number }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), 1000);
    return () => window.clearInterval(timer);
  }, []);
  return (
    <div className="notice warn" role="alert" style={{ marginTop: 12 }}>
      <IconPlugConnectedX size={16} stroke={1.6} color="var(--warn)" aria-hidden />
      <span><b className="strong">Coordinator not reachable for {duration((now - seenAt) / 1000)}.</b> Runs go on training; what you see is from {clockSeconds(seenAt)}.</span>
    </div>
  );
}

/** Why an action cannot be pressed now; empty when it can. */
export function offWords(connection: string): string {
  return connection === "lost" ? "The coordinator is not reachable" : "";
}

/** Something that went wrong and is over. */
export function Noted({ title, words }: { title: string; words: string }) {
  return (
    <div className="notice warn">
      <IconAlertTriangle size={16} stroke={1.6} color="var(--warn)" aria-hidden />
      <div>
        <b className="strong">{title}</b>
        <p className="soft">{words}</p>
      </div>
    </div>
  );
}

export function Problem({ title, words, onRetry }: { title: string; words: string; onRetry?: () => void }) {
  return (
    <div className="notice bad" role="alert">
      <StateGlyph state="failed" title="Error" />
      <div>
        <b className="strong">{title}</b>
        <p className="soft">{words}</p>
        {onRetry && <Button style={{ marginTop: 8 }} onClick={onRetry}>Try now</Button>}
      </div>
    </div>
  );
}
