import { IconArrowsRightLeft, IconInfoCircle, IconRefresh } from "@tabler/icons-react";
import type { RunNote } from "../api/types";
import type { Strip } from "../model/attempts";
import { clock, count } from "../model/format";
import { StateGlyph } from "./StateGlyph";

interface Props {
  readonly strip: Strip;
  /** In order of time. */
  readonly notes: readonly RunNote[];
  /** Memory of the newest attempt, in words; may be empty. */
  readonly memory: string;
  /** Newest notes shown before "all". */
  readonly most: number;
}

/** One block per attempt on a line of time, gaps hatched, checkpoints above, and what happened in words. */
export function AttemptStrip({ strip, notes, memory, most }: Props) {
  const place = (at: number) => ((at - strip.from) / (strip.to - strip.from)) * 100;
  const newest = [...notes].reverse().slice(0, most);
  const nowAt = place(strip.now);
  return (
    <section className="panel strip" aria-label="Attempts">
      <div className="strip-head">
        <h2>Attempts</h2><span className="small dim">{strip.summary}</span>{memory !== "" && <span className="small dim">Memory: {memory}</span>}
        <span className="strip-key" aria-hidden><span><i className="strip-mark kept key" />checkpoint</span><span><i className="strip-mark key" />since removed</span></span>
      </div>
      <div className="strip-lane">
        {strip.blocks.map((block) => (
          <div key={`${block.kind}${block.from}`} className={`strip-block ${block.kind} ${block.ended} ${strip.live ? "" : "over"}`}
            title={`${block.title}, ${block.sub}`} style={{ left: `${place(block.from)}%`, width: `max(4px, ${place(block.to) - place(block.from)}%)` }}>
            {place(block.to) - place(block.from) > 4 && <><b>{block.title}</b><br />{block.sub}</>}
          </div>
        ))}
        {strip.marks.map((mark) => (
          <i key={`${mark.step}${mark.at}`} className={mark.kept ? "strip-mark kept" : "strip-mark"} style={{ left: `${place(mark.at)}%` }}
            title={`Checkpoint ${count(mark.step)}, ${mark.status}`} />
        ))}
        {strip.live && nowAt <= 100.5 && <i className="strip-now" style={{ left: `calc(${nowAt}% - 1px)` }} aria-hidden />}
        {strip.ticks.filter((tick) => place(tick.at) > 1.5 && place(tick.at) < 98.5).map((tick) => <span key={tick.at} className="strip-tick" style={{ left: `${place(tick.at)}%` }}>{tick.label}</span>)}
      </div>
      <div className="notes">
        {newest.map((note) => (
          <div key={note.id} className="note">
            <span className="dim">{clock(Date.parse(note.at), strip.now)}</span><NoteIcon kind={note.kind} /><NoteWords text={note.text} />
          </div>
        ))}
      </div>
    </section>
  );
}

function NoteIcon({ kind }: { kind: string }) {
  if (/lost|fail|unreadable|missing|damaged|quarantined|refused/.test(kind)) {
    return <StateGlyph state="warning" title={kind} />;
  }
  const Icon = /resum/.test(kind) ? IconRefresh : /mov/.test(kind) ? IconArrowsRightLeft : IconInfoCircle;
  return <Icon size={13} stroke={1.6} color="var(--text-3)" aria-hidden />;
}

/** The first sentence says what happened; the rest explains. */
function NoteWords({ text }: { text: string }) {
  const end = text.indexOf(". ");
  return end < 0 ? <span>{text}</span> : <span><b className="strong">{text.slice(0, end + 1)}</b> <span className="soft">{text.slice(end + 2)}</span></span>;
}
