import type { SampleView } from "../api/types";
import { clock, count } from "../model/format";

interface Props {
  readonly samples: readonly SampleView[];
  readonly now: number;
  /** What to expect while there is none. */
  readonly empty: string;
}

/** What the model writes, newest first. */
export function Samples({ samples, now, empty }: Props) {
  if (samples.length === 0) {
    return <div className="panel nothing"><b className="strong">No sample yet</b><span className="soft">{empty}</span></div>;
  }
  const rows = [...samples].sort((a, b) => b.step - a.step || b.at.localeCompare(a.at));
  return (
    <>
      {rows.map((sample) => (
        <article key={`${sample.step} ${sample.at}`} className="panel sample">
          <div className="small"><b className="strong">step {count(sample.step)}</b> <span className="dim">{clock(Date.parse(sample.at), now)}</span></div>
          <pre><span className="dim">{sample.prompt}</span>{sample.text.startsWith(sample.prompt) ? sample.text.slice(sample.prompt.length) : sample.text}</pre>
        </article>
      ))}
    </>
  );
}
