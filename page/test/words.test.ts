import { describe, expect, it } from "vitest";
import type { FindingRow } from "../src/api/types";
import { bins, straight, ticks } from "../src/charts/scale";
import { among, decision, figure, oneIn, percent, plural, pValue, sentence, size } from "../src/words";

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
    expect(sentence(ROW, HEALTHY)).toBe("More unusual than 98.5 % of 200 healthy scans.");
    expect(sentence({ ...ROW, p_value: 1 / 201 }, HEALTHY)).toBe("More unusual than all 200 healthy scans.");
    expect(sentence({ ...ROW, p_value: 1 }, HEALTHY)).toBe("More unusual than none of 200 healthy scans.");
  });

  it("counts groups where scans of one patient belong together", () => {
    expect(among(1 / 21, { count: 200, groups: 20, grouped: true })).toBe("all 200");
  });

  it("does without their number", () => {
    expect(sentence(ROW, null)).toBe("More unusual than 98 % of healthy scans.");
  });

  it("speaks of slices and volumes as such", () => {
    const volume = { ...ROW, kind: "volume" as const, slices: 100, slices_flagged: 1 };
    expect(sentence({ ...volume, p_kind: "lowest slice" }, HEALTHY)).toContain("Its most unusual slice");
    expect(sentence({ ...volume, p_kind: "volume" }, HEALTHY)).toBe("More unusual than 98 % of healthy volumes.");
    expect(decision(volume)).toBe("1 slice of 100 above the threshold.");
  });

  it("says why a scan was not judged", () => {
    expect(sentence({ ...ROW, verdict: "unfit", unfit: "It is sagittal." }, null)).toContain("It is sagittal.");
    expect(sentence({ ...ROW, verdict: "unreadable", error: "No picture." }, null)).toContain("No picture.");
  });
});

describe("figures", () => {
  it("never round up to all or down to none", () => {
    expect(percent(0.9999)).toBe("99.9 %");
    expect(percent(1)).toBe("100 %");
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
