import type { FamilyPresets } from "../model/presets";

interface Props {
  readonly families: readonly FamilyPresets[];
  /** Name of the preset that the form began with; empty for a clone. */
  readonly chosen: string;
  readonly onChoose: (name: string) => void;
}

/** One card per family, one button per size. */
export function Presets({ families, chosen, onChoose }: Props) {
  return (
    <div className="presets" role="group" aria-label="Presets">
      {families.map(({ title, summary, presets }) => (
        <div key={title} className={presets.some((p) => p.name === chosen) ? "preset chosen" : "preset"}>
          <b className="strong">{title}</b>
          <p className="small soft" title={summary}>{summary}</p>
          <div className="preset-sizes">
            {presets.map((p) => <button key={p.name} type="button" aria-label={p.title} aria-pressed={p.name === chosen} onClick={() => onChoose(p.name)}>{p.size}</button>)}
          </div>
        </div>
      ))}
    </div>
  );
}
