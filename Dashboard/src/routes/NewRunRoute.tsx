import "../theme/submit.css";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { request } from "../api/client";
import { useDatasets } from "../api/datasets";
import { useModels } from "../api/pool";
import type { DatasetView, PresetView, RunDetail, Spec } from "../api/types";
import { Problem } from "../components/Notices";
import { lean, onDataset, tuning } from "../model/presets";
import { RECIPES, runOf } from "../model/recipes";
import { NewRunEditor } from "./NewRunEditor";

/** `/runs/new?preset=|recipe=|from=[&tune=]`: what the form starts with; `tune` is a step of the run `from`, whose checkpoint is to be tuned. */
export function NewRunRoute() {
  const [params] = useSearchParams();
  const navigate = useNavigate();
  const from = params.get("from") ?? "";
  const tune = params.get("tune");
  const models = useModels();
  const datasets = useDatasets();
  const source = useQuery({
    queryKey: ["run", from],
    queryFn: ({ signal }) => request<RunDetail>(`/runs/${from}`, { signal }),
    enabled: from !== "",
  });
  const recipe = RECIPES.find((r) => r.kind !== "sweep" && r.name === params.get("recipe"));
  const preset = recipe !== undefined ? undefined : models.data?.presets.find((p) => p.name === params.get("preset")) ?? (from === "" ? models.data?.presets[0] : undefined);
  const base = useMemo(
    () => (models.data === undefined || datasets.data === undefined ? null : recipe !== undefined ? runOf(recipe, datasets.data)
      : onDataset(lean(startSpec(preset, source.data, tune, datasets.data), models.data.fields), tune === null ? datasets.data : [])),
    [models.data, datasets.data, recipe, preset, source.data, tune],
  );
  const error = models.error ?? datasets.error ?? source.error;
  if (error) {
    return <div style={{ paddingTop: 60 }}><Problem title="The form did not arrive" words={error.message} onRetry={() => { void models.refetch(); void datasets.refetch(); void source.refetch(); }} /></div>;
  }
  if (models.data === undefined || datasets.data === undefined || base === null || (from !== "" && source.data === undefined)) {
    return null;
  }
  return (
    <NewRunEditor models={models.data} datasets={datasets.data} preset={preset?.name ?? ""} recipe={recipe?.name ?? ""} base={base}
      cloned={tune === null ? source.data?.summary.name ?? "" : ""} onPreset={(name) => void navigate(`/runs/new?preset=${encodeURIComponent(name)}`, { replace: true })}
      onRecipe={(name) => void navigate(`/runs/new?recipe=${encodeURIComponent(name)}`, { replace: true })} />
  );
}

function startSpec(preset: PresetView | undefined, source: RunDetail | undefined, tune: string | null, datasets: readonly DatasetView[]): Spec {
  if (source !== undefined && tune !== null) {
    return tuning(source.spec, `r-${source.summary.number}@${tune}`, datasets);
  }
  if (source !== undefined) {
    return { ...source.spec, name: nextName(source.summary.name) };
  }
  return preset?.spec ?? { name: "", model: { family: "", size: "" }, data: { dataset: "" } };
}

/** "a" → "a-2", "a-2" → "a-3". */
function nextName(name: string): string {
  const parts = /^(.*)-(\d{1,3})$/.exec(name);
  return parts ? `${parts[1]}-${Number(parts[2]) + 1}` : `${name}-2`;
}
