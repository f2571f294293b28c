import { expect, it } from "vitest";
import type { DatasetView, FieldRule, ModelsResponse, Spec } from "../api/types";
import { getField } from "./specForm";
import { byFamily, lean, onDataset, onRecipe, presetFor, tuning } from "./presets";

const rule = (path: string, value: unknown): FieldRule => ({ path, kind: "number", help: "", allowed: "", default: value });
const dataset = (name: string, created_at: string): DatasetView => ({ id: name, name, kind: "text", license: "", bytes: 1, files: 1, documents: 2, created_at, tokens: {} });

it("leaves out what holds anyway, but not what the form shows at once nor the family's own fields", () => {
  const spec = { name: "a", model: { family: "moa", size: "nano", heads: 4 }, train: { steps: 1000, seed: 1337 }, optimizer: { lr: 3e-4, beta1: 0.9, beta2: 0.99 }, eval: { rows: 64 }, run: { tags: [] } };
  const rules = [rule("train.steps", 1000), rule("train.seed", 1337), rule("optimizer.lr", 3e-4), rule("optimizer.beta1", 0.9), rule("optimizer.beta2", 0.95), rule("eval.rows", 64), rule("run.tags", [])];
  expect(lean(spec, rules)).toEqual({ name: "a", model: { family: "moa", size: "nano", heads: 4 }, train: { steps: 1000 }, optimizer: { lr: 3e-4, beta2: 0.99 } });
});

it("keeps a recipe's warm-up that a run of so many steps would not have by itself", () => {
  const rules = [rule("train.steps", 1000), { ...rule("optimizer.warmup_steps", 100), default_tenth_of: "train.steps" }];
  const recipe = (steps: number, warmup_steps: number) => lean({ train: { steps }, optimizer: { warmup_steps } }, rules);
  expect(recipe(300, 100)).toEqual({ train: { steps: 300 }, optimizer: { warmup_steps: 100 } });
  expect(recipe(300, 30)).toEqual({ train: { steps: 300 } });
  expect(recipe(9000, 100)).toEqual({ train: { steps: 9000 } });
});

it("takes the newest dataset where none is named", () => {
  const all = [dataset("old", "2026-01-01"), dataset("new", "2026-02-01")];
  expect(onDataset({ data: { dataset: "", seq_len: 8 } }, all)).toEqual({ data: { dataset: "new", seq_len: 8 } });
  expect(onDataset({ data: { dataset: "old" } }, all)).toEqual({ data: { dataset: "old" } });
  expect(onDataset({ data: { dataset: "" } }, [])).toEqual({ data: { dataset: "" } });
  const chat = { ...dataset("newest", "2026-03-01"), kind: "chat" };
  expect(onDataset({ data: { dataset: "" } }, [...all, chat])).toEqual({ data: { dataset: "new" } });
  expect(onDataset({ task: "sft", data: { dataset: "" } }, [...all, chat])).toEqual({ task: "sft", data: { dataset: "newest" } });
});

it("groups presets by family and names their sizes as the titles do", () => {
  const preset = (size: string, title: string) => ({ name: `moa-${size}`, title, summary: "", spec: { model: { family: "moa", size } } });
  const models: ModelsResponse = {
    families: [{ name: "moa", title: "MoA-Metric", summary: "s", sizes: [], fields: [] }, { name: "none", title: "None", summary: "", sizes: [], fields: [] }],
    fields: [],
    presets: [preset("nano", "MoA-Metric nano"), preset("150m", "MoA-Metric 150M")],
  };
  expect(byFamily(models)).toEqual([{ title: "MoA-Metric", summary: "s", presets: [
    { name: "moa-nano", title: "MoA-Metric nano", size: "nano" }, { name: "moa-150m", title: "MoA-Metric 150M", size: "150M" }] }]);
});

const family = (name: string, fields: string[]) => ({ name, title: name, summary: "", sizes: [], fields: fields.map((f) => ({ name: f, kind: "integer", help: "", allowed: "" })) });
const recipe = (name: string, size: string, rest: Spec): ModelsResponse["presets"][number] => ({ name: `${name}-${size}`, title: "", summary: "", spec: { name: `${name}-${size}`, model: { family: name, size }, ...rest } });
const two: ModelsResponse = {
  fields: [],
  families: [family("moa", ["heads", "d_model"]), family("vuaf", ["d_model"])],
  presets: [
    recipe("moa", "nano", { data: { dataset: "", seq_len: 128 }, optimizer: { lr: 1e-3, schedule: "cosine" } }),
    recipe("vuaf", "femto", { data: { dataset: "", seq_len: 512 }, optimizer: { lr: 3e-3 } }),
    recipe("vuaf", "nano", { data: { dataset: "", seq_len: 128 }, optimizer: { name: "muon", lr: 2e-2 } }),
  ],
};

it("finds the recipe that another family or size means", () => {
  const spec = two.presets[0]!.spec;
  expect(presetFor(two, spec, "model.family", "vuaf")?.name).toBe("vuaf-nano");
  expect(presetFor(two, two.presets[1]!.spec, "model.family", "moa")?.name).toBe("moa-nano");
  expect(presetFor(two, two.presets[1]!.spec, "model.size", "nano")?.name).toBe("vuaf-nano");
  expect(presetFor(two, spec, "model.size", "7b")).toBeUndefined();
});

it("changes what the recipe says and keeps what a person changed, but not a field that the new family lacks", () => {
  const [before, , next] = two.presets.map((p) => p.spec) as [Spec, Spec, Spec];
  const edited = {
    name: "mine", model: { family: "moa", size: "nano", heads: 2, d_model: 96 }, data: { dataset: "docs", seq_len: 64 },
    optimizer: { lr: 1e-3, schedule: "cosine" }, run: { priority: "high" },
  };
  expect(onRecipe(edited, before, next, two)).toEqual({
    name: "mine", model: { family: "vuaf", size: "nano", d_model: 96 }, data: { dataset: "docs", seq_len: 64 },
    optimizer: { name: "muon", lr: 2e-2 }, run: { priority: "high" },
  });
  expect(onRecipe(before, before, next, two)).toEqual(next);
});

it("tunes a checkpoint under its run's own model, gently, on the newest conversations", () => {
  const source: Spec = {
    name: "base", model: { family: "moa", size: "nano" }, data: { dataset: "docs", seq_len: 128, tokenizer: "byte_bpe" },
    train: { steps: 1000 }, optimizer: { lr: 3e-3, matrix_lr: 0.02, embed_lr: 0, warmup_steps: 100 }, sample: { prompt: "The " },
  };
  const sets = [{ ...dataset("texts", "2026-03-01") }, { ...dataset("glosses", "2026-02-01"), kind: "chat" }];
  expect(tuning(source, "r-3@500", sets)).toStrictEqual({
    name: "base-sft", task: "sft", start_from: "r-3@500", model: { family: "moa", size: "nano" }, data: { dataset: "glosses", seq_len: 128 },
    train: { steps: 1000 }, optimizer: { lr: 3e-4, matrix_lr: 2e-3, embed_lr: 0 }, sample: { prompt: "What can you tell me?" },
  });
  expect(getField(tuning(source, "r-3@500", [sets[0]!]), "data.dataset")).toBe("");
});
