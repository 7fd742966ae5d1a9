import { describe, expect, it } from "vitest";
import type { FindingRow } from "../src/api/types";
import { bins, straight, ticks } from "../src/charts/scale";
import { among, decision, figure, floored, oneIn, percent, plural, pValue, reason, sentence, size } from "../src/words";

const ROW = {
  verdict: "abnormal",
  kind: "picture",
  p_value: 4 / 201,
  p_kind: "scan",
  score: 16.7234,
  threshold: 13.9,
  flagged: true,
  error: null,
  unfit: null,
  slices: null,
} as unknown as FindingRow;
const HEALTHY = { count: 200, groups: 200, grouped: false };

describe("the verdict in words", () => {
  it("counts the healthy scans that score lower", () => {
    expect(sentence(ROW, HEALTHY)).toBe("More unusual than 98.5\u00a0% of 200 healthy scans.");
    expect(sentence({ ...ROW, p_value: 1 / 201 }, HEALTHY)).toBe("More unusual than all 200 healthy scans.");
    expect(sentence({ ...ROW, p_value: 1 }, HEALTHY)).toBe("More unusual than none of 200 healthy scans.");
  });

  it("counts groups where scans of one patient belong together", () => {
    expect(among(1 / 21, { count: 200, groups: 20, grouped: true })).toBe("all 200");
  });

  it("says of how few patients all of them are, and that p cannot be lower", () => {
    const few = { count: 65, groups: 6, grouped: true };
    const lowest = { ...ROW, p_value: 1 / 7 };
    expect(sentence(lowest, few)).toBe("More unusual than all 65 healthy scans (of 6 patients).");
    expect(sentence({ ...lowest, kind: "volume", p_kind: "volume" }, few)).toBe("More unusual than all 6 healthy volumes.");
    expect(floored(lowest, few)).toBe("Only 6 healthy patients are known: p cannot be below 0.14.");
    expect(floored({ ...ROW, p_value: 2 / 7 }, few)).toBe("");
    // Of one patient some scans are higher, others not.
    expect(sentence({ ...ROW, p_value: 1.4 / 7 }, few)).toBe("More unusual than 93.3\u00a0% of 65 healthy scans.");
    expect(floored({ ...ROW, p_value: 1.4 / 7 }, few)).toBe("");
    expect(floored({ ...ROW, p_value: 1 / 201 }, HEALTHY)).toBe("");
  });

  it("does without their number", () => {
    expect(sentence(ROW, null)).toBe("More unusual than 98\u00a0% of healthy scans.");
  });

  it("speaks of slices and volumes as such", () => {
    const volume = { ...ROW, kind: "volume" as const, slices: 100, slices_flagged: 1 };
    expect(sentence({ ...volume, p_kind: "lowest slice" }, HEALTHY)).toContain("Its most unusual slice");
    expect(sentence({ ...volume, p_kind: "volume" }, HEALTHY)).toBe("More unusual than 98\u00a0% of healthy volumes.");
    expect(decision(volume)).toBe("1 slice of 100 above the threshold.");
  });

  it("says why a scan was not judged", () => {
    expect(reason({ ...ROW, verdict: "unfit", unfit: "It is sagittal." })).toBe("It is sagittal.");
    expect(reason({ ...ROW, verdict: "unreadable", error: "No picture." })).toBe("No picture.");
    const damaged = { ...ROW, verdict: "unreadable" as const, label: "upload 3f2a, file 2", error: "upload 3f2a, file 2: it is damaged." };
    expect(reason(damaged)).toBe("It is damaged.");
    expect(reason(ROW)).toBe("");
  });
});

describe("figures", () => {
  it("never round up to all or down to none", () => {
    expect(percent(0.9999)).toBe("99.9\u00a0%");
    expect(percent(1)).toBe("100\u00a0%");
    expect(pValue(0.0004)).toBe("< 0.001");
    expect(pValue(0.0999)).toBe("0.10");
    expect(pValue(null)).toBe("–");
  });

  it("are short", () => {
    expect(figure(16.7234)).toBe("16.72");
    expect(figure(Number.NaN)).toBe("–");
    expect(oneIn(0.005)).toBe("1 in 200");
    expect(size(123456)).toBe("123 kB");
    expect(size(999600)).toBe("1 MB");
    expect(plural(1, "scan")).toBe("1 scan");
    expect(plural(1200, "scan")).toBe("1,200 scans");
  });
});

describe("axes", () => {
  it("go from values to places and back", () => {
    const scale = straight(-2, 8, 10, 110);
    expect(scale.to(3)).toBe(60);
    expect(scale.from(scale.to(5.5))).toBeCloseTo(5.5);
  });

  it("have round ticks within their limits", () => {
    expect(ticks(0.3, 9.7, 5)).toEqual([2, 4, 6, 8]);
    expect(ticks(1, 1, 5)).toEqual([1]);
  });

  it("count every value once", () => {
    const values = Array.from({ length: 100 }, (_, place) => place / 99);
    expect(bins(values, 0, 1, 7).reduce((sum, count) => sum + count, 0)).toBe(100);
  });
});
