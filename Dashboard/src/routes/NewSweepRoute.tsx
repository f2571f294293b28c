import "../theme/submit.css";
import "../theme/sweeps.css";
import { Button } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { ApiError } from "../api/client";
import { useDatasets } from "../api/datasets";
import { useLive } from "../api/live";
import { useModels } from "../api/pool";
import { submitSweep, validateSweep } from "../api/sweeps";
import type { FieldError, Spec, SweepValidation } from "../api/types";
import { offWords, Problem } from "../components/Notices";
import { RecipeMenu } from "../components/RecipeMenu";
import { YamlEditor } from "../components/YamlEditor";
import { count, plural } from "../model/format";
import { lean, onDataset } from "../model/presets";
import { RECIPES, sweepOf } from "../model/recipes";
import { lineErrors, parseSpec, toYaml } from "../model/specForm";
import { sizeWords, startSweep } from "../model/sweeps";

const SWEEP_RECIPES = RECIPES.filter((r) => r.kind === "sweep");
const PAUSE_MS = 400;
const HEAD = "# space: what trials differ in; see docs/sweeps.md\n";

/** `/sweeps/new?recipe=`: a sweep as YAML, with what it would train before it begins. */
export function NewSweepRoute() {
  const models = useModels();
  const datasets = useDatasets();
  const [params] = useSearchParams();
  const navigate = useNavigate();
  const recipe = SWEEP_RECIPES.find((r) => r.name === params.get("recipe"));
  const start = useMemo(() => {
    if (recipe !== undefined && datasets.data !== undefined) {
      return HEAD + toYaml(sweepOf(recipe, datasets.data));
    }
    const preset = models.data?.presets[0]?.spec;
    return preset === undefined || datasets.data === undefined ? null : HEAD + toYaml(startSweep(onDataset(lean(preset, models.data!.fields), datasets.data)));
  }, [models.data, datasets.data, recipe]);
  const error = models.error ?? datasets.error;
  if (error) {
    return <div style={{ paddingTop: 60 }}><Problem title="The form did not arrive" words={error.message} onRetry={() => { void models.refetch(); void datasets.refetch(); }} /></div>;
  }
  return start === null ? null : (
    <SweepEditor key={recipe?.name ?? ""} start={start} recipe={recipe?.name ?? ""} onRecipe={(name) => void navigate(`/sweeps/new?recipe=${encodeURIComponent(name)}`, { replace: true })} />
  );
}

function SweepEditor({ start, recipe, onRecipe }: { start: string; recipe: string; onRecipe: (name: string) => void }) {
  const navigate = useNavigate();
  const { connection } = useLive();
  const [text, setText] = useState(start);
  const parsed = useMemo(() => parseSpec(text), [text]);
  const check = useCheck(parsed.spec);
  const [key] = useState(() => crypto.randomUUID());
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState("");
  const marks = useMemo(() => (parsed.syntax ? [{ ...parsed.syntax, field: "" }] : lineErrors(text, check.errors.map((e) => ({ ...e, field: e.field.replace(/\[.*$/, "") })))), [parsed.syntax, text, check.errors]);
  const wrong = parsed.syntax ? 1 : check.errors.length;
  const off = offWords(connection);
  const submit = async () => {
    if (wrong > 0 || off !== "" || busy || parsed.spec === null) {
      return;
    }
    setBusy(true);
    try {
      const sweep = await submitSweep(parsed.spec, key);
      void navigate(`/sweeps/${sweep.id}`);
    } catch (cause) {
      setRefused((cause as Error).message);
      setBusy(false);
    }
  };
  const latest = useRef(submit);
  useEffect(() => { latest.current = submit; });
  return (
    <>
      <div className="page-head">
        <h1>New sweep</h1>
        <div className="actions">
          <span role="status" className={wrong > 0 ? "row small bad" : "row small soft"}>
            {wrong > 0 ? <><IconAlertTriangle size={14} stroke={1.6} aria-hidden />{plural(wrong, "field")} to fix</> : check.size !== null && sizeWords(check.size.trials ?? 0, check.size.tokens ?? 0)}
          </span>
          <RecipeMenu recipes={SWEEP_RECIPES} chosen={recipe} onChoose={onRecipe} />
          <Button variant="filled" loading={busy} title={off} onClick={() => void submit()}>Begin sweep</Button>
        </div>
      </div>
      {refused !== "" && <div style={{ marginBottom: 10 }}><Problem title="It did not begin" words={refused} /></div>}
      {check.trouble !== "" && <div style={{ marginBottom: 10 }}><Problem title="The check did not arrive" words={check.trouble} /></div>}
      <div className="sweep-editor">
        <section className="panel" aria-label="YAML">
          <header className="yaml-head"><h2>YAML</h2><span className="small dim grow">same sweep, for files and the CLI</span></header>
          <YamlEditor text={text} errors={marks} onText={setText} onSubmit={() => void latest.current()} label="Sweep as YAML" />
        </section>
        <section className="panel sweep-size" aria-label="What it would train">
          <h2>What it would train</h2>
          {check.size === null ? <p className="soft small">Known once nothing is wrong.</p> : <Size size={check.size} stale={wrong > 0} />}
          {check.errors.length > 0 && <ul className="small bad">{check.errors.map((e) => <li key={e.field + e.message}>{e.message}</li>)}</ul>}
        </section>
      </div>
    </>
  );
}

function Size({ size, stale }: { size: SweepValidation; stale: boolean }) {
  return (
    <dl className={stale ? "dim" : ""}>
      <dt>Trials</dt><dd>{count(size.trials ?? 0)}</dd>
      <dt>Rungs</dt><dd>{(size.rungs ?? []).map((rung) => count(rung)).join(", ")} steps</dd>
      <dt>Tokens, about</dt><dd>{count(size.tokens ?? 0)}</dd>
      <dt>If all trained to the end</dt><dd>{count(size.tokens_of_all ?? 0)}</dd>
    </dl>
  );
}

/** Asks the coordinator what it would say to the sweep, a moment after the last key; the size is of the last one without errors. */
function useCheck(sweep: Spec | null): { errors: readonly FieldError[]; size: SweepValidation | null; trouble: string } {
  const [state, setState] = useState<{ errors: readonly FieldError[]; size: SweepValidation | null; trouble: string }>({ errors: [], size: null, trouble: "" });
  const text = sweep === null ? "" : JSON.stringify(sweep);
  useEffect(() => {
    if (text === "") {
      return undefined;
    }
    const abort = new AbortController();
    const timer = window.setTimeout(() => {
      validateSweep(JSON.parse(text) as Spec, abort.signal).then(
        (answer) => setState((old) => ({ errors: answer.errors, size: answer.errors.length > 0 ? old.size : answer, trouble: "" })),
        (cause: unknown) => {
          if (!abort.signal.aborted) {
            const errors = cause instanceof ApiError ? cause.errors : [];
            setState((old) => ({ ...old, errors, trouble: errors.length > 0 ? "" : (cause as Error).message }));
          }
        },
      );
    }, PAUSE_MS);
    return () => {
      abort.abort();
      window.clearTimeout(timer);
    };
  }, [text]);
  return state;
}
