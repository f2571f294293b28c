import { describe, expect, it } from "vitest";
import type { DatasetView } from "../api/types";
import { readRecipe, RECIPES, runOf, sweepOf } from "./recipes";
import { getField } from "./specForm";

const dataset = (name: string, kind: string, created_at: string) => ({ name, kind, created_at }) as DatasetView;

describe("recipes", () => {
  it("are the files of the folder, each with a title, what it is, and a name of its own", () => {
    expect(RECIPES.length).toBeGreaterThan(10);
    expect(new Set(RECIPES.map((r) => r.name)).size).toBe(RECIPES.length);
    for (const recipe of RECIPES) {
      expect(recipe.title, recipe.name).not.toBe(recipe.name);
      expect(recipe.about, recipe.name).toContain("Data:");
      expect(recipe.body["name"], recipe.name).toBe(recipe.name);
    }
    expect(new Set(RECIPES.map((r) => r.kind))).toEqual(new Set(["pretrain", "sft", "sweep"]));
  });

  it("take the dataset that they name where the pool has it, else the newest that their task learns from", () => {
    const run = readRecipe("a", "# A\n# Data: d.\nname: a\nmodel: {family: qovaryx, size: nano}\ndata: {dataset: books}\n");
    const tuned = readRecipe("b", "# B\nname: b\ntask: sft\nstart_from: r-1\ndata: {dataset: chats}\n");
    const pool = [dataset("new", "text", "2026-02-01"), dataset("books", "text", "2026-01-01"), dataset("talks", "chat", "2026-01-01")];
    expect(getField(runOf(run, pool), "data.dataset")).toBe("books");
    expect(getField(runOf(run, pool.slice(0, 1)), "data.dataset")).toBe("new");
    expect(getField(runOf(tuned, pool), "data.dataset")).toBe("talks");
    expect(getField(runOf(tuned, pool), "start_from")).toBe("");
  });

  it("put a sweep's run on the pool's data and leave the rest", () => {
    const sweep = readRecipe("s", "# S\nname: s\nspec: {name: r, data: {dataset: none}}\nspace: [{field: optimizer.lr, min: 1, max: 2}]\n");
    const made = sweepOf(sweep, [dataset("books", "text", "2026-01-01")]);
    expect(sweep.kind).toBe("sweep");
    expect(getField(made["spec"] as Record<string, unknown>, "data.dataset")).toBe("books");
    expect(made["space"]).toEqual([{ field: "optimizer.lr", min: 1, max: 2 }]);
  });
});
