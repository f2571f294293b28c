import type { KeyboardEvent } from "react";
import { answerFacts, depth, isUnderWay, parted, visible } from "../../model/playground";
import type { Exchange } from "../../model/playground";
import type { TokenEvent } from "../../api/types";

interface Props {
  readonly one: Exchange;
  /** The answer goes on with the question's text, in the same paragraph. */
  readonly goesOn: boolean;
  /** Most loops of the model; 1 = it has none. */
  readonly loops: number;
  /** Index of the token whose chances are shown; null = none of this answer. */
  readonly picked: number | null;
  readonly onPick: (index: number) => void;
}

/** One answer: every token can be asked what else it might have been. Left and right move between them. */
export function Answer({ one, goesOn, loops, picked, onPick }: Props) {
  const move = (event: KeyboardEvent) => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const next = (picked ?? 0) + by;
    if (by !== 0 && next >= 0 && next < one.tokens.length) {
      event.preventDefault();
      onPick(next);
      event.currentTarget.querySelector<HTMLElement>(`[data-index="${next}"]`)?.focus();
    }
  };
  const facts = answerFacts(one);
  return (
    <div className="answer">
      <p className="answer-text" onKeyDown={move} aria-live="off">
        {goesOn && <span className="beginning">{one.question}</span>}
        {one.tokens.map((token, index) => (
          <Token key={index} token={token} index={index} flush={index === 0 && !goesOn} loops={loops} picked={index === picked} reachable={index === (picked ?? 0)} onPick={onPick} />
        ))}
        {isUnderWay(one) && <span className="caret" aria-hidden />}
      </p>
      {one.tokens.length > 0 && <p className="answer-facts">{facts.map((fact) => <span key={fact}>{fact}</span>)}</p>}
      {isUnderWay(one) && one.tokens.length === 0 && <p className="answer-facts" role="status">{one.loading === "" ? "Waiting for its first token…" : `${one.loading}…`}</p>}
      {one.state === "failed" && <p className="answer-facts bad" role="alert">{one.words}</p>}
      {one.state === "stopped" && <p className="answer-facts"><span>Stopped. {one.words}</span></p>}
    </div>
  );
}

interface TokenProps {
  readonly token: TokenEvent;
  readonly index: number;
  /** Nothing stands before it: white space is left out. */
  readonly flush: boolean;
  readonly loops: number;
  readonly picked: boolean;
  readonly reachable: boolean;
  readonly onPick: (index: number) => void;
}

function Token({ token, index, flush, loops, picked, reachable, onPick }: TokenProps) {
  const { space, word } = parted(token.text);
  const kind = token.loops ? ` depth${depth(token.loops, loops)}` : token.drafted ? " drafted" : "";
  return (
    <>
      {token.refused && <s className="refused" title="Drafted, refused">{token.refused}</s>}
      {!flush && word !== "" && space}
      <button type="button" className={`token${kind}${word === "" ? " blank" : ""}${picked ? " picked" : ""}`} data-index={index} tabIndex={reachable ? 0 : -1} aria-pressed={picked} onClick={() => onPick(index)}>{word === "" ? visible(token.text) : word}</button>
      {!flush && word === "" && space}
    </>
  );
}
