import type { CheckpointChoice, TokenEvent } from "../../api/types";
import { count } from "../../model/format";
import { haltWords, visible } from "../../model/playground";

interface Props {
  readonly token: TokenEvent | null;
  readonly choice: CheckpointChoice | null;
  readonly threshold: number | null;
}

/** What else the picked token might have been, and where a looped model stopped for it. */
export function TokenFacts({ token, choice, threshold }: Props) {
  if (token === null) {
    return <p className="small soft play-part">Pick a token to see what else it might have been.</p>;
  }
  const chances = token.chances ?? [];
  const halting = token.halting ?? [];
  return (
    <>
      <div className="play-part" role="group" aria-label="Picked token">
        <h2>Token {token.index + 1} <code className="tag">{visible(token.text)}</code><span className="small soft end">id {count(token.token)}</span></h2>
        {token.refused && <p className="small soft">Drafted “{token.refused.trim()}”, refused.</p>}
        <p className="small soft">Chance, %</p>
        {chances.length === 0 ? <p className="small soft">Not told for this token.</p> : chances.map((chance) => (
          <Bar key={chance.token} name={<code>{visible(chance.text)}</code>} share={chance.probability} shown={(chance.probability * 100).toFixed(1)} strong={chance.token === token.token} />
        ))}
      </div>
      {choice !== null && choice.loops > 1 && token.loops != null && (
        <div className="play-part" role="group" aria-label="Where it stopped">
          <h2>Where it stopped</h2>
          <p className="small soft">Chance to stop after each loop, %</p>
          {Array.from({ length: choice.loops }, (_, i) => {
            const told = halting[i];
            const run = i < token.loops!;
            return <Bar key={i} name={`loop ${i + 1}`} share={run ? told ?? 1 : 0} shown={!run ? "not run" : told === undefined ? "last" : (told * 100).toFixed(0)} strong={i + 1 === token.loops} dim={!run} />;
          })}
          <p className="small soft">{haltWords(token, choice.loops, threshold)}</p>
        </div>
      )}
    </>
  );
}

function Bar({ name, share, shown, strong, dim = false }: { name: React.ReactNode; share: number; shown: string; strong: boolean; dim?: boolean }) {
  return (
    <div className={dim ? "chance dim" : "chance"}>
      <span className="cut">{name}</span>
      <span className={strong ? "chance-bar strong" : "chance-bar"} aria-hidden><span style={{ width: `${Math.min(1, share) * 100}%` }} /></span>
      <span className="right">{shown}</span>
    </div>
  );
}
