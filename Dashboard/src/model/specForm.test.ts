import { describe, expect, it } from "vitest";
import { changedFields, fromInput, getField, lineErrors, lineOf, parseSpec, setField, toInput, toYaml } from "./specForm";

const TEXT = `# edits here change the form too
name: qvx50
model:
  family: qovaryx
  size: 50m
data:
  dataset: docs # mine
  seq_len: 8192
`;

describe("from YAML to form", () => {
  it("reads values by dotted path", () => {
    const { spec } = parseSpec(TEXT);
    expect(getField(spec, "data.seq_len")).toBe(8192);
    expect(getField(spec, "data.none.deeper")).toBeUndefined();
  });
  it("names the line of broken YAML", () => {
    const { spec, syntax } = parseSpec("name: a\nmodel: [1,\n");
    expect(spec).toBeNull();
    expect(syntax?.line).toBeGreaterThanOrEqual(2);
  });
  it("refuses text that is no map", () => expect(parseSpec("just words").syntax?.message).toContain("name, model and data"));
});

describe("from form to YAML", () => {
  it("changes one line and keeps comments", () => {
    const text = setField(TEXT, "data.seq_len", 4096);
    expect(text).toBe(TEXT.replace("8192", "4096"));
  });
  it("makes sections that are missing and removes fields", () => {
    const text = setField(TEXT, "train.steps", 20);
    expect(getField(parseSpec(text).spec, "train.steps")).toBe(20);
    expect(getField(parseSpec(setField(text, "train.steps", undefined)).spec, "train.steps")).toBeUndefined();
  });
  it("writes lists on one line", () => {
    expect(setField(TEXT, "model.rings", [2, 4])).toContain("  rings: [2, 4]\n");
    expect(toYaml({ model: { rings: [2, 4] }, name: "n" })).toBe("name: n\nmodel:\n  rings: [2, 4]\n");
  });
  it("writes presets in the usual order", () => {
    expect(toYaml({ data: { dataset: "d" }, model: { family: "f" }, name: "n" }).split("\n")[0]).toBe("name: n");
  });
});

describe("errors", () => {
  const error = (field: string) => ({ field, value: "", allowed: "", message: `${field} is wrong` });
  it("stand at the field's line", () => expect(lineOf(TEXT, "data.seq_len")).toBe(8));
  it("stand at the section when the field is missing, else at the top", () => {
    expect(lineOf(TEXT, "data.tokenizer")).toBe(6);
    expect(lineOf(TEXT, "train.steps")).toBe(1);
    expect(lineOf(TEXT, "")).toBe(1);
  });
  it("come in the order of lines with the API's own words", () => {
    const lines = lineErrors(TEXT, [error("data.seq_len"), error("name")]);
    expect(lines.map((l) => l.line)).toEqual([2, 8]);
    expect(lines[1]!.message).toBe("data.seq_len is wrong");
  });
});

describe("text boxes", () => {
  it("take numbers with separators and exponents", () => {
    expect(fromInput("integer", "20,000")).toBe(20000);
    expect(fromInput("number", "6e-4")).toBe(0.0006);
    expect(fromInput("integer", "")).toBeUndefined();
  });
  it("keep what is no number, so that it is refused by name", () => expect(fromInput("integer", "many")).toBe("many"));
  it("take lists of words", () => expect(fromInput("text_list", "a, b,,")).toEqual(["a", "b"]));
  it("take a family's lists parted by commas, with brackets or without", () => {
    expect(fromInput("integer_list", "2, 4,8")).toEqual([2, 4, 8]);
    expect(fromInput("integer_list", "[2, 4]")).toEqual([2, 4]);
    expect(fromInput("choice_list", "rwkv7, attn")).toEqual(["rwkv7", "attn"]);
  });
  it("keep a list's entry that is no number, so that the field is refused by name", () => expect(fromInput("integer_list", "2, four")).toEqual([2, "four"]));
  it("tell an empty list from a field left out", () => {
    expect(fromInput("integer_list", "[]")).toEqual([]);
    expect(fromInput("integer_list", " ")).toBeUndefined();
    expect(toInput([], "integer_list")).toBe("[]");
    expect(toInput([], "text_list")).toBe("");
  });
  it("take on and off", () => {
    expect(fromInput("flag", "true")).toBe(true);
    expect(fromInput("flag", toInput(false))).toBe(false);
  });
  it("show a list as it is typed", () => {
    for (const typed of ["2, 4, 8", "1000, 2000"]) {
      expect(toInput(fromInput("integer_list", typed), "integer_list")).toBe(typed);
    }
  });
  it("take row lengths as text", () => expect(fromInput("stages", " 512:1000, 4096 ")).toBe("512:1000, 4096"));
  it("show numbers as people write them", () => {
    expect(toInput(65536)).toBe("65,536");
    expect(toInput(6e-4)).toBe("6e-4");
    expect(toInput(0.1)).toBe("0.1");
    expect(toInput(["a", "b"])).toBe("a, b");
  });
});

it("names what differs from the preset", () => {
  expect(changedFields({ name: "a", data: { seq_len: 1 } }, { name: "b", data: { seq_len: 1 }, run: { tags: ["x"] } })).toEqual(["name", "run.tags"]);
});
