import { expect, it } from "vitest";
import type { ModelsResponse } from "../api/types";
import { layForm } from "./formLayout";

const models: ModelsResponse = {
  presets: [],
  families: [{ name: "qovaryx", title: "Qovaryx", summary: "s", sizes: [{ name: "50m", parameters: 46_557_184, max_seq_len: 4096, vocab_size: 20242, values: { ffn_kind: "swiglu", qk_norm: false, n_layer: 9, rings: [2, 4] } }], fields: [
    { name: "ffn_kind", kind: "choice", help: "h", allowed: "", choices: ["swiglu"] },
    { name: "qk_norm", kind: "flag", help: "Normalise.", allowed: "true, false" },
    { name: "n_layer", kind: "integer", help: "Layers.", allowed: "1 to 512" },
    { name: "rings", kind: "integer_list", help: "Rings.", allowed: "a list of whole numbers, 1 to 9" },
  ] }],
  fields: [
    { path: "name", kind: "text", help: "", allowed: "" },
    { path: "model.family", kind: "text", help: "", allowed: "" },
    { path: "data.dataset", kind: "text", help: "A dataset.", allowed: "" },
    { path: "train.steps", kind: "integer", help: "", allowed: "1 to 5", default: 1000 },
    { path: "optimizer.beta1", kind: "number", help: "", allowed: "" },
    { path: "run.priority", kind: "choice", help: "", allowed: "", choices: ["low", "high"] },
  ],
};

it("lays out every field of the table once", () => {
  const sections = layForm(models, [], { model: { family: "qovaryx", size: "50m" } });
  const paths = sections.flatMap((s) => [...s.fields, ...s.more]).map((f) => f.path);
  expect(new Set(paths).size).toBe(paths.length);
  expect(paths).toEqual(["model.family", "model.size", "name", "model.ffn_kind", "model.qk_norm", "model.n_layer", "model.rings", "data.dataset", "train.steps", "optimizer.beta1", "run.priority"]);
  expect(sections[0]!.fields[1]!.help).toContain("4,096");
  expect(sections[2]!.fields[0]!.fallback).toBe("1,000");
});

it.each([
  [{}, "100"], [{ steps: 5000 }, "100"], [{ steps: 300 }, "30"], [{ steps: 57 }, "5"], [{ steps: 9 }, "0"], [{ steps: "many" }, "100"],
])("shows the warm-up that a run with %j has where none is named", (train, fallback) => {
  const warmup = { path: "optimizer.warmup_steps", kind: "integer" as const, help: "", allowed: "", default: 100, default_tenth_of: "train.steps" };
  const training = layForm({ ...models, fields: [...models.fields, warmup] }, [], { model: { family: "qovaryx", size: "50m" }, train })[2]!;
  expect(training.more.find((f) => f.path === warmup.path)!.fallback).toBe(fallback);
});

it("gives a family's field its range, what the size has, and lists the whole width", () => {
  const own = layForm(models, [], { model: { family: "qovaryx", size: "50m" } })[0]!.more;
  const field = (name: string) => own.find((f) => f.path === `model.${name}`)!;
  expect(field("n_layer")).toMatchObject({ kind: "integer", help: "Layers. 1\u00a0to\u00a0512.", fallback: "9", choices: null });
  expect(field("rings")).toMatchObject({ kind: "integer_list", help: "Rings. A list of whole numbers, 1 to 9, parted by commas.", fallback: "2, 4", wide: true });
  expect(field("qk_norm")).toMatchObject({ kind: "flag", fallback: "false", choices: [{ value: "true", label: "on" }, { value: "false", label: "off" }] });
  expect(field("ffn_kind").fallback).toBe("swiglu");
});

it("shows at once what the recipe sets of the family's own fields", () => {
  const recipe = { model: { family: "qovaryx", size: "50m", rings: [2] } };
  const [model] = layForm(models, [], recipe, recipe);
  expect(model!.fields.map((f) => f.path)).toContain("model.rings");
  expect(model!.more.map((f) => f.path)).not.toContain("model.rings");
});
