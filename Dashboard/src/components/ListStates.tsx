import { Button } from "@mantine/core";

/** Eight rows of true height while the first page is on its way. */
export function RunsSkeleton({ rows = 8, fade = false }: { rows?: number; fade?: boolean }) {
  return (
    <div aria-busy={!fade} aria-label={fade ? undefined : "Loading runs"} aria-hidden={fade}>
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} className="run-grid run-row" style={{ pointerEvents: "none", opacity: fade ? 0.9 - i * 0.22 : 1 }}>
          <span className="skeleton" style={{ width: 15, height: 15 }} />
          <div><div className="skeleton" style={{ width: `${52 + ((i * 17) % 30)}%`, height: 9, marginBottom: 6 }} /><div className="skeleton" style={{ width: "36%", height: 7 }} /></div>
          <span className="skeleton" style={{ height: 4 }} />
          <span className="skeleton" style={{ height: 14 }} />
          <span className="skeleton speed" style={{ height: 8 }} />
          <span className="skeleton" style={{ height: 8 }} />
          <span className="skeleton" style={{ height: 8 }} />
        </div>
      ))}
    </div>
  );
}

interface NoMatchProps {
  readonly words: readonly string[];
  readonly last: "state" | "model" | "text";
  readonly onClear: () => void;
}

export function NoMatch({ words, last, onClear }: NoMatchProps) {
  return (
    <div className="panel nothing" role="status">
      <b className="strong" style={{ fontSize: 14 }}>No run matches</b>
      <span className="soft">The others are hidden by {words.map((w, i) => <span key={w}>{i > 0 && " and "}<b className="strong">{w}</b></span>)}.</span>
      <Button onClick={onClear}>Clear the {last} filter</Button>
    </div>
  );
}
