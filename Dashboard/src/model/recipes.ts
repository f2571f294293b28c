import type { DatasetView, Spec } from "../api/types";
import { onDataset } from "./presets";
import { getField, parseSpec } from "./specForm";

/** A file of `recipes/`: a run or a sweep as it is submitted, with its title and what it is in the comments on top. */
export interface Recipe {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly kind: "pretrain" | "sft" | "sweep";
  readonly body: Spec;
}

export function readRecipe(name: string, text: string): Recipe {
  const comments: string[] = [];
  for (const line of text.split("\n")) {
    if (!line.startsWith("# ")) {
      break;
    }
    comments.push(line.slice(2));
  }
  const { spec, syntax } = parseSpec(text);
  if (spec === null) {
    throw new Error(`recipes/${name}.yaml, line ${syntax?.line ?? 0}: ${syntax?.message ?? "no map"}`);
  }
  const kind = "space" in spec ? "sweep" : spec["task"] === "sft" ? "sft" : "pretrain";
  return { name, title: comments[0] ?? name, about: comments.slice(1).join(" "), kind, body: spec };
}

const FILES = import.meta.glob<string>("../../../recipes/*.yaml", { query: "?raw", import: "default", eager: true });

export const RECIPES: readonly Recipe[] = Object.entries(FILES)
  .map(([path, text]) => readRecipe(/([^/]+)\.yaml$/.exec(path)![1]!, text))
  .sort((a, b) => a.name.localeCompare(b.name));

/** The run of a recipe on what this pool has: the dataset that the recipe names where it is there, else the newest that its task learns from. */
export function runOf(recipe: Recipe, datasets: readonly DatasetView[]): Spec {
  return placed("start_from" in recipe.body ? { ...recipe.body, start_from: "" } : recipe.body, datasets);
}

/** The sweep of a recipe, its run on what this pool has. */
export function sweepOf(recipe: Recipe, datasets: readonly DatasetView[]): Spec {
  return { ...recipe.body, spec: placed(recipe.body["spec"] as Spec, datasets) };
}

function placed(spec: Spec, datasets: readonly DatasetView[]): Spec {
  const named = getField(spec, "data.dataset");
  return datasets.some((d) => d.name === named) ? spec : onDataset({ ...spec, data: { ...(spec["data"] as Spec), dataset: "" } }, datasets);
}
