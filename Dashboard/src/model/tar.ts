const BLOCK = 512;
const LONGEST_NAME = 100;

interface Part {
  readonly name: string;
  readonly size: number;
}

/** The header of a file in a tar (POSIX ustar). Of a name that is too long the end is kept, with its ending. */
export function tarHeader({ name, size }: Part): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(BLOCK);
  const put = (text: string, at: number) => header.set(new TextEncoder().encode(text), at);
  put(nameWithin(name), 0);
  put("0000644\x000000000\x000000000\x00", 100);
  // Eleven octal digits are 8 GiB; beyond, the number stands in binary, as GNU has it.
  if (size < 8 ** 11) {
    put(`${size.toString(8).padStart(11, "0")}\x00`, 124);
  } else {
    header[124] = 0x80;
    new DataView(header.buffer).setBigUint64(128, BigInt(size));
  }
  put(`${"0".repeat(11)}\x00${" ".repeat(8)}0`, 136);
  put("ustar\x0000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\x00 `, 148);
  return header;
}

/** Files as one tar. The browser reads them when it is sent, so their size does not matter. */
export function toTar(files: readonly File[]): Blob {
  const parts = files.flatMap((file) => [tarHeader({ name: file.name, size: file.size }), file, new Uint8Array((BLOCK - (file.size % BLOCK)) % BLOCK)]);
  return new Blob([...parts, new Uint8Array(2 * BLOCK)]);
}

function nameWithin(name: string): string {
  let kept = name;
  while (new TextEncoder().encode(kept).length > LONGEST_NAME) {
    kept = Array.from(kept).slice(1).join("");
  }
  return kept;
}
