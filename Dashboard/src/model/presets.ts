import type { DatasetView, FieldRule, ModelsResponse, PresetView, Spec } from "../api/types";
import { SHOWN_AT_ONCE } from "./formLayout";
import { changedFields, defaultOf, getField, type Rules } from "./specForm";

/** The presets of one family, smallest first, as the API lists them. */
export interface FamilyPresets {
  readonly title: string;
  readonly summary: string;
  readonly presets: readonly { readonly name: string; readonly title: string; readonly size: string }[];
}

export function byFamily(models: ModelsResponse): FamilyPresets[] {
  return models.families.map((family) => ({
    title: family.title,
    summary: family.summary,
    presets: models.presets.filter((p) => getField(p.spec, "model.family") === family.name).map((p) => ({ name: p.name, title: p.title, size: sizeName(p, family.title) })),
  })).filter((family) => family.presets.length > 0);
}

/** "Qovaryx 50M" of the family Qovaryx → "50M". */
function sizeName(preset: PresetView, family: string): string {
  return preset.title.startsWith(`${family} `) ? preset.title.slice(family.length + 1) : String(getField(preset.spec, "model.size"));
}

/** A spec as a person would write it: what is as the API has it anyway is left out, unless the form shows it at once. */
export function lean(spec: Spec, rules: readonly FieldRule[]): Spec {
  const table: Rules = new Map(rules.map((rule) => [rule.path, rule]));
  const defaults = new Map(rules.map((rule) => [rule.path, JSON.stringify(defaultOf(rule, table, spec))]));
  const kept = (path: string, value: unknown) => SHOWN_AT_ONCE.has(path) || !defaults.has(path) || JSON.stringify(value) !== defaults.get(path);
  const out: Spec = {};
  for (const [key, value] of Object.entries(spec)) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      if (kept(key, value)) {
        out[key] = value;
      }
      continue;
    }
    const section = Object.fromEntries(Object.entries(value).filter(([name, v]) => kept(`${key}.${name}`, v)));
    if (Object.keys(section).length > 0) {
      out[key] = section;
    }
  }
  return out;
}

/** The spec on the pool's newest dataset that its task learns from, where it names none: conversations for sft, texts for the rest. */
export function onDataset(spec: Spec, datasets: readonly DatasetView[]): Spec {
  const fitting = datasets.filter((d) => (d.kind === "chat") === (getField(spec, "task") === "sft"));
  const newest = fitting.sort((a, b) => b.created_at.localeCompare(a.created_at))[0];
  if (newest === undefined || (getField(spec, "data.dataset") ?? "") !== "") {
    return spec;
  }
  return { ...spec, data: { ...(spec["data"] as Spec | undefined), dataset: newest.name } };
}

/** The preset that a choice of family or size in the form means; another family keeps the size's name where it has one. */
export function presetFor(models: ModelsResponse, spec: Spec | null, path: "model.family" | "model.size", value: string): PresetView | undefined {
  const family = path === "model.family" ? value : getField(spec, "model.family");
  const size = path === "model.size" ? value : getField(spec, "model.size");
  const own = models.presets.filter((p) => getField(p.spec, "model.family") === family);
  return own.find((p) => getField(p.spec, "model.size") === size) ?? (path === "model.family" ? own[0] : undefined);
}

/**
 * Another recipe under what a person has written: fields that differ from the old recipe stay as they are, all others become the new
 * one's. The dataset is nobody's recipe and stays; fields of a family that the new one does not have go.
 */
export function onRecipe(spec: Spec, before: Spec, next: Spec, models: ModelsResponse): Spec {
  const family = models.families.find((f) => f.name === getField(next, "model.family"));
  const known = (path: string) => !path.startsWith("model.") || (family?.fields ?? []).some((field) => path === `model.${field.name}`);
  const kept = [...changedFields(before, spec).filter((path) => known(path) && getField(spec, path) !== undefined), "data.dataset"];
  return kept.reduce((out, path) => (getField(spec, path) === undefined ? out : withField(out, path, getField(spec, path))), next);
}

/** A run that tunes a checkpoint on conversations: its run's own spec, from that checkpoint on, gently, on the newest set of conversations. */
export function tuning(source: Spec, start: string, datasets: readonly DatasetView[]): Spec {
  const lr = getField(source, "optimizer.lr");
  const set: readonly (readonly [string, unknown])[] = [
    ["name", `${String(getField(source, "name"))}-sft`],
    ["task", "sft"],
    ["start_from", start],
    ["data.dataset", ""],
    ["data.tokenizer", undefined],
    ["data.doc_mask", undefined],
    ["train.length_curriculum", undefined],
    ["optimizer.warmup_steps", undefined],
    ...(["lr", "matrix_lr", "embed_lr", "vector_lr"] as const).flatMap((rate): [string, unknown][] => {
      const before = rate === "lr" ? lr : getField(source, `optimizer.${rate}`);
      return typeof before === "number" && before > 0 ? [[`optimizer.${rate}`, Number((before * GENTLER).toPrecision(3))]] : [];
    }),
    ["sample.prompt", "What can you tell me?"],
  ];
  return onDataset(set.reduce((spec, [path, value]) => withField(spec, path, value), source), datasets);
}

/** Of the rates that a model was pretrained with, those that it is tuned with: what it knows is to stay. */
const GENTLER = 0.1;

/** `undefined` takes the field out. */
function withField(spec: Spec, path: string, value: unknown): Spec {
  const [section, key] = path.split(".") as [string, string | undefined];
  if (value === undefined && key !== undefined) {
    const { [key]: _, ...rest } = (spec[section] ?? {}) as Spec;
    return { ...spec, [section]: rest };
  }
  return key === undefined ? { ...spec, [section]: value } : { ...spec, [section]: { ...(spec[section] as Spec | undefined), [key]: value } };
}
