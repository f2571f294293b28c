import { expect, it } from "vitest";
import type { ModelsResponse } from "../api/types";
import { layForm } from "./formLayout";

const models: ModelsResponse = {
  presets: [],
  families: [{ name: "qovaryx", title: "Qovaryx", summary: "s", sizes: [{ name: "50m", parameters: 46_557_184, max_seq_len: 4096, vocab_size: 20242 }], fields: [{ name: "ffn_kind", kind: "choice", help: "h", allowed: "", choices: ["swiglu"] }] }],
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
  expect(paths).toEqual(["model.family", "model.size", "name", "model.ffn_kind", "data.dataset", "train.steps", "optimizer.beta1", "run.priority"]);
  expect(sections[0]!.fields[1]!.help).toContain("4,096");
  expect(sections[2]!.fields[0]!.fallback).toBe("1,000");
});
