import { Document, isMap, isNode, LineCounter, parseDocument, visit } from "yaml";
import type { FieldError, FieldKind, FieldRule, Spec } from "../api/types";

/** Kinds of a run's fields and those that only families have. */
export type InputKind = FieldKind | "flag" | "integer_list" | "choice_list";

/** The order of sections and keys in a file that the form writes. */
const SECTIONS = ["name", "model", "task", "start_from", "data", "sft", "train", "optimizer", "eval", "sample", "checkpoint", "run"];

export interface ParsedSpec {
  /** Null while the text is not a YAML map. */
  readonly spec: Spec | null;
  /** What is wrong with the YAML itself; `line` starts at 1. */
  readonly syntax: { readonly line: number; readonly message: string } | null;
}

export function parseSpec(text: string): ParsedSpec {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const error = doc.errors[0];
  if (error !== undefined) {
    return { spec: null, syntax: { line: lines.linePos(error.pos[0]).line, message: firstSentence(error.message) } };
  }
  if (!isMap(doc.contents)) {
    return { spec: null, syntax: { line: 1, message: "A run is a map with the keys name, model and data." } };
  }
  return { spec: doc.toJS() as Spec, syntax: null };
}

function firstSentence(message: string): string {
  return message.split("\n")[0]!.trim();
}

/** Sets one field and leaves every other line, comments too, as it is. `undefined` removes it. */
export function setField(text: string, path: string, value: unknown): string {
  const doc = parseDocument(text);
  const keys = path.split(".");
  const parent = keys.slice(0, -1);
  if (parent.length > 0 && !isMap(doc.getIn(parent))) {
    doc.setIn(parent, doc.createNode({}));
  }
  if (value === undefined) {
    doc.deleteIn(keys);
  } else {
    doc.setIn(keys, doc.createNode(value, { flow: Array.isArray(value) }));
  }
  return doc.toString({ lineWidth: 0, flowCollectionPadding: false });
}

export function getField(spec: Spec | null, path: string): unknown {
  let at: unknown = spec;
  for (const key of path.split(".")) {
    if (typeof at !== "object" || at === null) {
      return undefined;
    }
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

/** The API's table of fields, by path. */
export type Rules = ReadonlyMap<string, FieldRule>;

/** What the API reads where a spec leaves a field out: the default, or a tenth of the field that it fits itself to where that is less. */
export function defaultOf(rule: FieldRule, rules: Rules, spec: Spec | null): unknown {
  const whole = rule.default_tenth_of ? getField(spec, rule.default_tenth_of) ?? rules.get(rule.default_tenth_of)?.default : undefined;
  return typeof whole === "number" && typeof rule.default === "number" ? Math.min(rule.default, Math.floor(whole / 10)) : rule.default;
}

/** A spec as a file, sections in their usual order and lists on one line. */
export function toYaml(spec: Spec): string {
  const known = SECTIONS.filter((key) => key in spec);
  const rest = Object.keys(spec).filter((key) => !SECTIONS.includes(key));
  const doc = new Document(Object.fromEntries([...known, ...rest].map((key) => [key, spec[key]])));
  visit(doc, { Seq: (_, list) => { list.flow = true; } });
  return doc.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** The line (from 1) of a dotted path, or of the nearest section above it that is there; 1 when none is. */
export function lineOf(text: string, path: string): number {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines });
  const keys = path === "" ? [] : path.split(".");
  for (let depth = keys.length; depth > 0; depth--) {
    const parent = depth === 1 ? doc.contents : doc.getIn(keys.slice(0, depth - 1), true);
    if (!isMap(parent)) {
      continue;
    }
    const pair = parent.items.find((item) => String(isNode(item.key) ? item.key.toJSON() : item.key) === keys[depth - 1]);
    if (pair !== undefined && isNode(pair.key) && pair.key.range) {
      return lines.linePos(pair.key.range[0]).line;
    }
  }
  return 1;
}

export interface LineError {
  readonly line: number;
  readonly field: string;
  readonly message: string;
}

/** Field errors at their lines, in the order of the lines. */
export function lineErrors(text: string, errors: readonly FieldError[]): LineError[] {
  return errors
    .map((error) => ({ line: lineOf(text, error.field), field: error.field, message: error.message }))
    .sort((a, b) => a.line - b.line);
}

/**
 * What a text box holds, as the value of the field: numbers may carry separators, lists are parted by commas, with brackets or
 * without. What is no number stays text and is refused by name. `undefined` leaves the field out.
 */
export function fromInput(kind: InputKind, input: string): unknown {
  const text = input.trim();
  switch (kind) {
    case "text_list":
      return entries(text);
    case "integer_list":
    case "choice_list":
      return text === "" ? undefined : entries(text.replace(/^\[|\]$/g, "")).map((entry) => (kind === "integer_list" ? numberOr(entry) : entry));
    case "integer":
    case "number":
      return text === "" ? undefined : numberOr(text.replace(/[,\u00a0 _]/g, ""), text);
    case "flag":
      return text === "true" || text === "false" ? text === "true" : text;
    default:
      return kind === "text" ? input : text;
  }
}

function entries(text: string): string[] {
  return text.split(",").map((word) => word.trim()).filter((word) => word !== "");
}

function numberOr(bare: string, otherwise: string = bare): number | string {
  const value = Number(bare);
  return bare !== "" && Number.isFinite(value) ? value : otherwise;
}

/** The value of a field as its text box shows it; an empty list of a family's field is not the same as a field left out. */
export function toInput(value: unknown, kind?: InputKind): string {
  if (value === undefined || value === null) {
    return "";
  }
  if (Array.isArray(value)) {
    return value.length === 0 && kind !== "text_list" ? "[]" : value.join(", ");
  }
  if (typeof value === "number") {
    return Number.isInteger(value) && Math.abs(value) >= 1000 ? value.toLocaleString("en-US") : numberText(value);
  }
  return typeof value === "object" ? JSON.stringify(value) : String(value as string | boolean);
}

function numberText(value: number): string {
  return value !== 0 && Math.abs(value) < 0.001 ? value.toExponential().replace("e-0", "e-") : String(value);
}

/** Dotted paths whose value differs between two specs. */
export function changedFields(base: Spec, now: Spec): string[] {
  const a = flatten(base);
  const b = flatten(now);
  return [...new Set([...a.keys(), ...b.keys()])].filter((path) => a.get(path) !== b.get(path)).sort();
}

function flatten(spec: Spec, prefix = ""): Map<string, string> {
  const out = new Map<string, string>();
  for (const [key, value] of Object.entries(spec)) {
    const path = prefix === "" ? key : `${prefix}.${key}`;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      flatten(value as Spec, path).forEach((v, k) => out.set(k, v));
    } else {
      out.set(path, JSON.stringify(value));
    }
  }
  return out;
}
