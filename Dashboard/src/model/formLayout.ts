import type { DatasetView, FieldRule, FamilyView, ModelsResponse, Spec } from "../api/types";
import { count, fileSize, NB, plural, short } from "./format";
import { defaultOf, getField, toInput, type InputKind, type Rules } from "./specForm";

/** One field of the form. */
export interface FieldView {
  readonly path: string;
  readonly label: string;
  readonly kind: InputKind;
  readonly help: string;
  readonly choices: readonly { value: string; label: string }[] | null;
  readonly unit?: string;
  /** What holds when the field is left out. */
  readonly fallback?: string;
  /** Whether it takes the form's whole width, as lists do. */
  readonly wide?: boolean;
}

export interface FormSection {
  readonly title: string;
  readonly fields: readonly FieldView[];
  readonly more: readonly FieldView[];
}

const LABELS: Readonly<Record<string, string>> = {
  "data.seq_len": "Sequence length", "train.batch_tokens": "Batch", "train.micro_batch": "Micro-batch", "optimizer.lr": "Learning rate",
  "optimizer.name": "Optimiser", "optimizer.warmup_steps": "Warm-up steps", "optimizer.final_lr_fraction": "Final rate, share of peak",
  "optimizer.beta1": "Beta 1", "optimizer.beta2": "Beta 2", "optimizer.eps": "Epsilon", "optimizer.grad_clip": "Gradient clip",
  "run.devices": "Cards", "run.max_restarts": "Restarts", "eval.every_steps": "Validate every", "eval.rows": "Validation rows",
  "sample.every_steps": "Sample every", "sample.prompt": "Sample prompt", "sample.max_tokens": "Sample tokens", "sample.temperature": "Temperature",
  "sample.top_k": "Top k", "checkpoint.every_steps": "Checkpoint every", "checkpoint.keep_last": "Checkpoints kept",
  "data.validation_fraction": "Held out for validation", "start_from": "Start from", "sft.template": "Chat template", "sft.category": "Chat category",
};
const UNITS: Readonly<Record<string, string>> = {
  "data.seq_len": "tokens", "train.batch_tokens": "tokens a step", "eval.every_steps": "steps", "sample.every_steps": "steps",
  "checkpoint.every_steps": "steps", "optimizer.warmup_steps": "steps",
};
const ACRONYMS: Readonly<Record<string, string>> = {
  rwkv: "RWKV", ffn: "FFN", ff: "FF", kv: "KV", qk: "QK", qat: "QAT", moe: "MoE", mtp: "MTP", hrm: "HRM", jepa: "JEPA", xsa: "XSA", rope: "RoPE", mlp: "MLP", mqa: "MQA", lr: "LR", ema: "EMA",
};
/** Shown at once where the recipe sets them: they override a field that is shown, or say where the weights come from. */
const SHOWN_WHEN_SET = ["train.length_curriculum", "task", "start_from"];
/** Shown at once; every other field of the API's table is one press away. */
const FIRST: readonly { title: string; prefix: readonly string[]; fields: readonly string[] }[] = [
  { title: "Model", prefix: ["model", "name", "task", "start_from"], fields: ["name"] },
  { title: "Data", prefix: ["data", "sft"], fields: ["data.dataset", "data.seq_len"] },
  { title: "Training", prefix: ["train", "optimizer", "eval", "sample", "checkpoint"], fields: ["train.steps", "train.batch_tokens", "optimizer.lr", "optimizer.name"] },
  { title: "Placement", prefix: ["run"], fields: ["run.priority", "run.devices"] },
];

export const SHOWN_AT_ONCE: ReadonlySet<string> = new Set(FIRST.flatMap((section) => section.fields));

/**
 * The form for a spec: its fields come from the API's table, and those of the model from its family. What `base` sets of the latter,
 * the recipe that the form began with, is shown at once.
 */
export function layForm(models: ModelsResponse, datasets: readonly DatasetView[], spec: Spec | null, base: Spec | null = null): FormSection[] {
  const rules: Rules = new Map(models.fields.map((rule) => [rule.path, rule]));
  return FIRST.map(({ title, prefix, fields }) => {
    const own = (path: string) => prefix.includes(path.split(".")[0]!) && path !== "model.family" && path !== "model.size";
    const shown = [...fields, ...SHOWN_WHEN_SET.filter((path) => getField(base, path) !== undefined && own(path))];
    const first = shown.flatMap((path) => (rules.has(path) ? [viewOf(rules.get(path)!, rules, datasets, spec)] : []));
    const more = [...rules.values()].filter((rule) => own(rule.path) && !shown.includes(rule.path)).map((rule) => viewOf(rule, rules, datasets, spec));
    return title === "Model" ? { title, ...modelSection(models, spec, base, first, more) } : { title, fields: first, more };
  });
}

function modelSection(models: ModelsResponse, spec: Spec | null, base: Spec | null, first: readonly FieldView[], more: readonly FieldView[]): Omit<FormSection, "title"> {
  const family = models.families.find((f) => f.name === getField(spec, "model.family"));
  const size = family?.sizes.find((s) => s.name === getField(spec, "model.size"));
  const families: FieldView = { path: "model.family", label: "Family", kind: "text", help: family?.summary ?? "Model family.", choices: models.families.map((f) => ({ value: f.name, label: f.title })) };
  const sizes: FieldView = {
    path: "model.size", label: "Size", kind: "text", choices: (family?.sizes ?? []).map((s) => ({ value: s.name, label: `${s.name}, ${short(s.parameters)} parameters` })),
    help: size ? `Rows of up to ${count(size.max_seq_len)} tokens; ${count(size.vocab_size)} words.` : "One of the family's sizes.",
  };
  const own = (family?.fields ?? []).map((field) => ownView(field, size?.values[field.name]));
  const set = own.filter((field) => getField(base, field.path) !== undefined);
  return { fields: [families, sizes, ...first, ...set], more: [...own.filter((field) => !set.includes(field)), ...more] };
}

/** A field of the family; left out, it is what the size has. */
function ownView(field: FamilyView["fields"][number], usual: unknown): FieldView {
  const kind = field.kind as InputKind;
  const base = { path: `model.${field.name}`, label: title(field.name), kind, fallback: usual === undefined ? "as the size has it" : toInput(usual, kind) };
  if (kind === "flag") {
    return { ...base, help: field.help, choices: [{ value: "true", label: "on" }, { value: "false", label: "off" }] };
  }
  const list = kind === "integer_list" || kind === "choice_list";
  const allowed = capital(list ? `${field.allowed}, parted by commas` : field.allowed.replaceAll(" ", NB));
  return kind === "choice"
    ? { ...base, help: field.help, choices: (field.choices ?? []).map((value) => ({ value, label: value })) }
    : { ...base, help: `${field.help} ${allowed}.`, choices: null, ...(list ? { wide: true } : {}) };
}

function viewOf(rule: FieldRule, rules: Rules, datasets: readonly DatasetView[], spec: Spec | null): FieldView {
  const { path } = rule;
  const base = { path, label: LABELS[path] ?? title(path.split(".").at(-1)!), kind: rule.kind };
  const unit = UNITS[path];
  const usual = defaultOf(rule, rules, spec);
  const fallback = usual === undefined || usual === null ? undefined : toInput(usual, rule.kind);
  const extra = { ...(rule.kind === "stages" ? { wide: true } : {}), ...(unit === undefined ? {} : { unit }), ...(fallback === undefined ? {} : { fallback }) };
  if (path === "data.dataset") {
    const chosen = datasets.find((d) => d.name === getField(spec, path));
    return { ...base, ...extra, help: chosen ? `${plural(chosen.documents, chosen.kind === "chat" ? "conversation" : "text")}, ${fileSize(chosen.bytes)}; ${chosen.license}.` : rule.help, choices: datasets.map((d) => ({ value: d.name, label: d.name })) };
  }
  return { ...base, ...extra, help: rule.help, choices: rule.choices && rule.choices.length > 0 ? rule.choices.map((value) => ({ value, label: value })) : null };
}

function title(name: string): string {
  return capital(name.split("_").map((word) => ACRONYMS[word] ?? word).join(" "));
}

function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
