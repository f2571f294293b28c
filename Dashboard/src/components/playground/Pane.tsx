import { Select } from "@mantine/core";
import { IconHourglass, IconRefresh } from "@tabler/icons-react";
import { useEffect, useRef } from "react";
import type { CheckpointChoice } from "../../api/types";
import { choicesByRun, choiceWords, depth, draftWords, legendLoops, loopWords } from "../../model/playground";
import type { Exchange, PlayMode } from "../../model/playground";
import { Answer } from "./Answer";

export interface Picked {
  readonly pane: number;
  readonly exchange: number;
  readonly token: number;
}

interface Props {
  readonly pane: number;
  readonly choices: readonly CheckpointChoice[];
  readonly choice: CheckpointChoice | null;
  readonly mode: PlayMode;
  readonly exchanges: readonly Exchange[];
  readonly picked: Picked | null;
  readonly onPick: (picked: Picked) => void;
  readonly onChoose: (id: string) => void;
  readonly onClear: () => void;
}

const NEAR_END = 60;

/** One checkpoint and what it was asked. */
export function Pane({ pane, choices, choice, mode, exchanges, picked, onPick, onChoose, onClear }: Props) {
  const transcript = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const newest = exchanges.at(-1);
  // Follows the text, unless somebody scrolled up to read.
  useEffect(() => {
    if (atEnd.current && transcript.current) {
      transcript.current.scrollTop = transcript.current.scrollHeight;
    }
  }, [exchanges.length, newest?.tokens.length, newest?.state]);
  const onScroll = () => {
    const { scrollHeight, scrollTop, clientHeight } = transcript.current!;
    atEnd.current = scrollHeight - scrollTop - clientHeight < NEAR_END;
  };
  const first = exchanges.findIndex((one) => one.state === "next");
  const shown = first < 0 ? exchanges : exchanges.slice(0, first);
  const label = choice === null ? "No checkpoint" : choice.run_name;
  return (
    <section className="panel play-pane" aria-label={label}>
      <header>
        <Select aria-label="Checkpoint" size="xs" searchable allowDeselect={false} value={choice?.id ?? null} placeholder="Choose a checkpoint" data={choicesByRun(choices)} maxDropdownHeight={360} nothingFoundMessage="No such checkpoint" onChange={(id) => id !== null && onChoose(id)} />
        <span className="small soft cut">{choice === null ? "" : choiceWords(choice)}</span>
        <button className="icon-button" aria-label="Start over" title="Start over" onClick={onClear} disabled={exchanges.length === 0}><IconRefresh size={15} stroke={1.6} /></button>
      </header>
      <div className="transcript" ref={transcript} onScroll={onScroll} tabIndex={0} role="log" aria-label={`Answers of ${label}`}>
        {exchanges.length === 0 && <p className="soft play-hint">{mode === "chat" ? "Ask something below. A model that was only pretrained answers by going on with the text." : "Give it the beginning of a text below; it goes on."}</p>}
        {shown.map((one, index) => (
          <div key={index} className="exchange">
            {mode === "chat" && <p className="question">{one.question}</p>}
            <Answer one={one} goesOn={mode === "complete"} loops={choice?.loops ?? 1} picked={picked?.pane === pane && picked.exchange === index ? picked.token : null} onPick={(token) => onPick({ pane, exchange: index, token })} />
          </div>
        ))}
        {exchanges.slice(shown.length).map((one, index) => <p key={index} className="waiting small soft"><IconHourglass size={14} stroke={1.6} aria-hidden />“{one.question}” is next</p>)}
      </div>
      {choice !== null && <Legend choice={choice} exchanges={exchanges} />}
    </section>
  );
}

function Legend({ choice, exchanges }: { choice: CheckpointChoice; exchanges: readonly Exchange[] }) {
  const drafts = draftWords(exchanges);
  if (choice.loops > 1) {
    return (
      <footer className="small soft">
        <span>Loops used</span>
        {legendLoops(choice.loops).map((loops) => <span key={loops} className={`token depth${depth(loops, choice.loops)}`}>{loops}</span>)}
        <span className="end">{loopWords(exchanges, choice.loops)}</span>
      </footer>
    );
  }
  return drafts === "" ? null : (
    <footer className="small soft">
      <span className="token drafted">drafted, kept</span><s className="refused">drafted, refused</s><span>own</span><span className="end">{drafts}</span>
    </footer>
  );
}
