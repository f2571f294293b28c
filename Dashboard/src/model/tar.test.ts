import { expect, it } from "vitest";
import { tarHeader } from "./tar";

const text = (header: Uint8Array, from: number, length: number) => new TextDecoder().decode(header.subarray(from, from + length)).replace(/\0.*$/, "");

it("writes name, size and a checksum that counts itself as blanks", () => {
  const header = tarHeader({ name: "Grüße.txt", size: 1234 });
  expect(text(header, 0, 100)).toBe("Grüße.txt");
  expect(parseInt(text(header, 124, 12), 8)).toBe(1234);
  const told = parseInt(text(header, 148, 8), 8);
  header.fill(0x20, 148, 156);
  expect(header.reduce((a, b) => a + b, 0)).toBe(told);
  expect(header).toHaveLength(512);
});

it("keeps the end of a name that is too long, and writes sizes beyond octal in binary", () => {
  const header = tarHeader({ name: `${"ä".repeat(80)}.jsonl`, size: 2 ** 34 });
  expect(text(header, 0, 100)).toBe(`${"ä".repeat(47)}.jsonl`);
  expect(header[124]).toBe(0x80);
  expect(new DataView(header.buffer).getBigUint64(128)).toBe(BigInt(2 ** 34));
});
