import { Button } from "@mantine/core";
import { IconAlertTriangle, IconCopy } from "@tabler/icons-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { ApiError } from "../api/client";
import { useLive } from "../api/live";
import { submitRun } from "../api/runs";
import type { DatasetView, FieldError, ModelsResponse, Spec } from "../api/types";
import { AddText } from "../components/AddText";
import { Forecast } from "../components/Forecast";
import { offWords, Problem } from "../components/Notices";
import { Presets } from "../components/Presets";
import { RecipeMenu } from "../components/RecipeMenu";
import { fieldId } from "../components/SpecField";
import { SpecForm } from "../components/SpecForm";
import { YamlEditor } from "../components/YamlEditor";
import { plural } from "../model/format";
import { layForm } from "../model/formLayout";
import { byFamily, onRecipe, presetFor } from "../model/presets";
import { RECIPES } from "../model/recipes";
import { changedFields, lineErrors, parseSpec, setField, toYaml } from "../model/specForm";
import { useValidation } from "./validation";

interface Props {
  readonly models: ModelsResponse;
  readonly datasets: readonly DatasetView[];
  readonly preset: string;
  readonly recipe: string;
  readonly base: Spec;
  readonly cloned: string;
  readonly onPreset: (name: string) => void;
  readonly onRecipe: (name: string) => void;
}

const RUN_RECIPES = RECIPES.filter((r) => r.kind !== "sweep");
const HEAD = "# edits here change the form too\n";

/** Form and YAML of one run; the YAML text is the truth and the form a view of it. */
export function NewRunEditor({ models, datasets, preset, recipe, base, cloned, onPreset, onRecipe: onChosen }: Props) {
  const navigate = useNavigate();
  const { connection } = useLive();
  const start = useMemo(() => HEAD + toYaml(base), [base]);
  const [text, setText] = useState(start);
  const [under, setUnder] = useState({ preset, recipe, base });
  const parsed = useMemo(() => parseSpec(text), [text]);
  const good = useRef(base);
  if (parsed.spec !== null) {
    good.current = parsed.spec;
  }
  const spec = parsed.spec ?? good.current;
  if (under.preset !== preset || under.recipe !== recipe) {
    setUnder({ preset, recipe, base });
    setText(HEAD + toYaml(onRecipe(spec, under.base, base, models)));
  }
  const validation = useValidation(parsed.spec);
  const [key] = useState(() => crypto.randomUUID());
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<{ of: string; errors: readonly FieldError[]; message: string } | null>(null);
  const late = refused !== null && refused.of === text ? refused : null;
  const errors = validation.errors.length > 0 ? validation.errors : late?.errors ?? [];
  const marks = useMemo(() => (parsed.syntax ? [{ ...parsed.syntax, field: "" }] : lineErrors(text, errors)), [parsed.syntax, text, errors]);
  const sections = useMemo(() => layForm(models, datasets, spec, base), [models, datasets, spec, base]);
  const families = useMemo(() => byFamily(models), [models]);
  const [adding, setAdding] = useState(false);
  const wrong = parsed.syntax ? 1 : errors.length;
  const off = offWords(connection);

  const change = (path: string, value: unknown) => {
    const other = path === "model.family" || path === "model.size" ? presetFor(models, spec, path, String(value)) : undefined;
    if (other === undefined) {
      setText(setField(text, path, value));
    } else {
      onPreset(other.name);
    }
  };
  const submit = async () => {
    if (wrong > 0) {
      document.getElementById(fieldId(marks[0]?.field ?? ""))?.focus();
      return;
    }
    if (off !== "" || busy) {
      return;
    }
    setBusy(true);
    try {
      const run = await submitRun(spec, key);
      void navigate(`/runs/${run.id}/overview`);
    } catch (cause) {
      const fields = cause instanceof ApiError ? cause.errors : [];
      setRefused({ of: text, errors: fields, message: (cause as Error).message });
      setBusy(false);
    }
  };
  const latest = useRef(submit);
  useEffect(() => { latest.current = submit; });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.defaultPrevented) {
        event.preventDefault();
        void latest.current();
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);

  return (
    <>
      <div className="page-head">
        <h1>New run</h1>
        {cloned !== "" && <span className="small soft">cloned from {cloned}</span>}
        <div className="actions">
          <span role="status" className="row small bad">{wrong > 0 && <><IconAlertTriangle size={14} stroke={1.6} aria-hidden />{plural(wrong, "field")} to fix</>}</span>
          <RecipeMenu recipes={RUN_RECIPES} chosen={recipe} onChoose={onChosen} />
          <Button variant="filled" loading={busy} title={off} onClick={() => void submit()} rightSection={<span className="kbd" style={{ color: "#fff", background: "rgb(0 0 0 / 18%)", borderColor: "transparent" }}>Ctrl ↵</span>}>Submit run</Button>
        </div>
      </div>
      {late && late.errors.length === 0 && <div style={{ marginBottom: 10 }}><Problem title="It was not submitted" words={late.message} /></div>}
      {validation.trouble !== "" && <div style={{ marginBottom: 10 }}><Problem title="The check did not arrive" words={validation.trouble} /></div>}
      <Presets families={families} chosen={preset} onChoose={onPreset} />
      <div className="submit">
        <SpecForm sections={sections} spec={spec} errors={parsed.syntax ? [] : errors} locked={parsed.spec === null} onValue={change} onAddText={() => setAdding(true)} />
        <section className="panel" aria-label="YAML">
          <header className="yaml-head">
            <h2>YAML</h2><span className="small dim grow">same run, for files and the CLI</span>
            <button type="button" className="icon-button" aria-label="Copy the YAML" title="Copy" onClick={() => void navigator.clipboard.writeText(text)}><IconCopy size={16} stroke={1.6} /></button>
          </header>
          <YamlEditor text={text} errors={marks} onText={setText} onSubmit={() => void latest.current()} />
          <Changed base={base} spec={spec} same={text === start} onReset={() => setText(start)} />
        </section>
        <AddText opened={adding} onClose={() => setAdding(false)} onAdded={(dataset) => setText((old) => setField(old, "data.dataset", dataset.name))} />
        <Forecast cost={validation.cost} fits={validation.fits} stale={validation.cost === null ? [] : errors.map((e) => e.field)} pending={validation.pending} />
      </div>
    </>
  );
}

function Changed({ base, spec, same, onReset }: { base: Spec; spec: Spec; same: boolean; onReset: () => void }) {
  const fields = changedFields(base, spec);
  return (
    <footer className="yaml-foot">
      <span className="soft">{fields.length === 0 ? "Nothing changed" : "Changed"}</span>
      {fields.slice(0, 6).map((field) => <span key={field} className="tag" title={field}>{field.split(".").at(-1)}</span>)}
      {fields.length > 6 && <span className="dim">and {fields.length - 6} more</span>}
      {!same && <button type="button" className="link" style={{ marginLeft: "auto" }} onClick={onReset}>Reset</button>}
    </footer>
  );
}
