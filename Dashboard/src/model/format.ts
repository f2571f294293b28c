/** Between a number and its unit, so that they never part at a line's end. */
export const NB = "\u00a0";

/** Shown for what is not known. */
export const UNKNOWN = "–";

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** 20000 → "20,000". */
export function count(value: number): string {
  return whole.format(value);
}

/** A number in at most three or four digits and its magnitude: 38213 → ["38.2", "k"]. */
export function magnitude(value: number): [string, string] {
  const size = Math.abs(value);
  for (const [limit, letter] of [[1e9, "B"], [1e6, "M"], [1e3, "k"]] as const) {
    if (size >= limit * 0.9995) {
      return [digits(value / limit), letter];
    }
  }
  return [size < 10 && value !== Math.round(value) ? value.toFixed(1) : whole.format(value), ""];
}

function digits(value: number): string {
  return Math.abs(value) >= 99.95 ? whole.format(value) : value.toFixed(1);
}

/** 419900000 → "420 M". */
export function short(value: number): string {
  const [number, letter] = magnitude(value);
  return letter === "" ? number : `${number}${NB}${letter}`;
}

/** Losses: three decimals, as the log prints them; non-numbers are named. */
export function loss(value: number | null | undefined): string {
  if (value === null || value === undefined) {
    return UNKNOWN;
  }
  return Number.isFinite(value) ? value.toFixed(3) : "NaN";
}

/** 0.3206 → "32 %". Never 100 % before the end. */
export function percent(fraction: number, decimals = 0): string {
  const floor = 10 ** decimals;
  const shown = fraction >= 1 ? 100 : Math.floor(fraction * 100 * floor) / floor;
  return `${shown.toFixed(decimals)}${NB}%`;
}

/** Card memory, as makers count it (2^30). 18.9e9 → "17.6". */
export function gigabytes(bytes: number): string {
  const value = bytes / 2 ** 30;
  return value >= 99.95 || Math.abs(value - Math.round(value)) < 0.05 ? whole.format(value) : value.toFixed(value < 0.1 ? 2 : 1);
}

/** Memory in words: "17.6 of 24 GB". */
export function memoryOf(used: number, total: number): string {
  return `${gigabytes(used)} of ${gigabytes(total)}${NB}GB`;
}

/** File sizes, decimal: 280e6 → "280 MB". */
export function fileSize(bytes: number): string {
  for (const [limit, unit] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]] as const) {
    if (bytes >= limit) {
      return `${digits(bytes / limit)}${NB}${unit}`;
    }
  }
  return `${bytes}${NB}B`;
}

/** Seconds in the two largest units that matter: "6 h 29 min", "41 min", "8 s", "19 ms". */
export function duration(seconds: number): string {
  if (seconds < 0.9995) {
    return `${Math.max(0, Math.round(seconds * 1000))}${NB}ms`;
  }
  if (seconds < 59.5) {
    return `${seconds < 9.95 && seconds % 1 >= 0.05 ? seconds.toFixed(1) : Math.round(seconds)}${NB}s`;
  }
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) {
    return `${minutes}${NB}min`;
  }
  const hours = Math.floor(minutes / 60);
  if (hours < 48) {
    return minutes % 60 === 0 ? `${hours}${NB}h` : `${hours}${NB}h${NB}${minutes % 60}${NB}min`;
  }
  const rounded = Math.round(minutes / 60);
  const days = Math.floor(rounded / 24);
  return rounded % 24 === 0 ? `${days}${NB}d` : `${days}${NB}d${NB}${rounded % 24}${NB}h`;
}

const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const timeSeconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const weekday = new Intl.DateTimeFormat("en-GB", { weekday: "short" });
const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** The reader's clock: "03:43", with the day when it is not within half a day: "Sat 23:41", "3 Nov 08:12". */
export function clock(at: number, now: number): string {
  const shown = time.format(at);
  const distance = Math.abs(at - now);
  if (distance < 12 * 3_600_000 || new Date(at).toDateString() === new Date(now).toDateString()) {
    return shown;
  }
  return distance < 6 * 86_400_000 ? `${weekday.format(at)}${NB}${shown}` : `${date.format(at)}${NB}${shown}`;
}

/** "21:13:22". */
export function clockSeconds(at: number): string {
  return timeSeconds.format(at);
}

/** "21:13:22.440", for log lines. */
export function clockMillis(at: number): string {
  return `${timeSeconds.format(at)}.${String(new Date(at).getMilliseconds()).padStart(3, "0")}`;
}

/** Axis and legend numbers: small ones as 5.12e-4, as the log writes them. */
export function plain(value: number | null | undefined): string {
  if (value === null || value === undefined) {
    return UNKNOWN;
  }
  if (!Number.isFinite(value)) {
    return "NaN";
  }
  const size = Math.abs(value);
  if (size === 0) {
    return "0";
  }
  if (size < 0.01) {
    const [mantissa, exponent] = value.toExponential(2).split("e");
    return `${Number(mantissa)}e${Number(exponent)}`;
  }
  return size >= 1000 ? short(value) : String(Number(value.toPrecision(4)));
}

/** 16 hex digits in groups of four. */
export function trace(hex: string): string {
  return hex.match(/.{1,4}/g)?.join(" ") ?? hex;
}

/** "1 step", "3 steps". */
export function plural(n: number, word: string): string {
  return `${count(n)}${NB}${word}${n === 1 ? "" : "s"}`;
}
