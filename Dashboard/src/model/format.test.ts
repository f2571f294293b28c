import { describe, expect, it } from "vitest";
import { clock, count, duration, fileSize, gigabytes, loss, magnitude, memoryOf, percent, plain, plural, short, trace } from "./format";

describe("numbers", () => {
  it("groups thousands", () => expect(count(20000)).toBe("20,000"));
  it("keeps unit and number together with a no-break space", () => {
    expect(short(419_900_000)).toBe("420\u00a0M");
    expect(short(38_213)).toBe("38.2\u00a0k");
    expect(short(815)).toBe("815");
    expect(magnitude(999_950)).toEqual(["1.0", "M"]);
  });
  it("never shows a run that is not done as 100 %", () => {
    expect(percent(0.9999)).toBe("99\u00a0%");
    expect(percent(1)).toBe("100\u00a0%");
    expect(percent(0.3206, 1)).toBe("32.0\u00a0%");
  });
  it("names what is unknown or no number", () => {
    expect(loss(null)).toBe("–");
    expect(loss(Number.NaN)).toBe("NaN");
    expect(loss(3.6641)).toBe("3.664");
  });
  it("writes small numbers as the log does", () => {
    expect(plain(0.000512)).toBe("5.12e-4");
    expect(plain(6e-4)).toBe("6e-4");
    expect(plain(0)).toBe("0");
    expect(plain(279.04)).toBe("279");
  });
});

describe("sizes", () => {
  it("counts card memory as makers do", () => {
    expect(gigabytes(24 * 2 ** 30)).toBe("24");
    expect(memoryOf(17.6 * 2 ** 30, 24 * 2 ** 30)).toBe("17.6 of 24\u00a0GB");
  });
  it("counts files in decimal", () => expect(fileSize(280_000_000)).toBe("280\u00a0MB"));
});

describe("durations", () => {
  it.each([
    [0.019, "19\u00a0ms"],
    [2.9, "2.9\u00a0s"],
    [8, "8\u00a0s"],
    [59.6, "1\u00a0min"],
    [23_340, "6\u00a0h\u00a029\u00a0min"],
    [7200, "2\u00a0h"],
    [200_000, "2\u00a0d\u00a08\u00a0h"],
  ])("%f s", (seconds, words) => expect(duration(seconds)).toBe(words));
});

describe("clock", () => {
  const now = new Date(2026, 10, 22, 21, 14).getTime();
  it("shows the time alone within half a day", () => expect(clock(new Date(2026, 10, 23, 3, 43).getTime(), now)).toBe("03:43"));
  it("adds the weekday beyond", () => expect(clock(new Date(2026, 10, 20, 8, 12).getTime(), now)).toBe("Fri\u00a008:12"));
  it("adds the date beyond a week", () => expect(clock(new Date(2026, 10, 3, 8, 12).getTime(), now)).toBe("3 Nov\u00a008:12"));
});

it("groups trace hashes by four and counts words", () => {
  expect(trace("9c41e07a55d203bf")).toBe("9c41 e07a 55d2 03bf");
  expect(plural(1, "step")).toBe("1\u00a0step");
});
