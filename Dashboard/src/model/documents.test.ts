import { expect, it } from "vitest";
import { toDocuments, toJsonLines } from "./documents";

it("takes several texts as one document each, without empty ones", () => {
  expect(toDocuments(["one\n\ntwo", " \n", "three"])).toEqual(["one\n\ntwo", "three"]);
});

it("cuts a single text at blank lines and loses nothing of it", () => {
  const text = Array.from({ length: 9 }, (_, i) => `${String(i).repeat(900)}\n\n`).join("");
  const pieces = toDocuments([text]);
  expect(pieces).toHaveLength(3);
  expect(pieces.join("")).toBe(text);
  expect(pieces.every((piece) => piece.endsWith("\n\n"))).toBe(true);
});

it("writes one document a line", () => {
  expect(toJsonLines(["a\n\"b\"", "c"])).toBe('{"text":"a\\n\\"b\\""}\n{"text":"c"}\n');
});
