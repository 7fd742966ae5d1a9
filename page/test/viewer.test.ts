import { describe, expect, it } from "vitest";
import { colours } from "../src/colour/maps";
import { axisOf, toMm, toVoxel, type Point } from "../src/viewer/affine";
import { centre, fit, kept, zoom } from "../src/viewer/camera";
import { compose, difference, heatAt, span, type Layers, type Look } from "../src/viewer/compose";
import { outline } from "../src/viewer/outline";

const LOOK: Look = { shown: true, opacity: 0.75, colours: "inferno", rarity: 0.005, from: null, window: [0, 255] };

function layers(heat: number[], p: number[] | null = null): Layers {
  return {
    width: heat.length,
    height: 1,
    grey: new Uint8Array(heat.length).fill(100),
    heat: new Float32Array(heat),
    p: p && new Float32Array(p),
    scale: [2, 4],
  };
}

function composed(of: Layers, look: Partial<Look> = {}): Uint8ClampedArray {
  const out = new Uint8ClampedArray(4 * of.width * of.height);
  compose(out, of, { ...LOOK, ...look });
  return out;
}

describe("composition", () => {
  it("leaves the scan grey where heat is below the scale, and colours it above", () => {
    const out = composed(layers([1.9, 4]));
    expect([...out.slice(0, 4)]).toEqual([100, 100, 100, 255]);
    const table = colours("inferno");
    const brightest = [0, 1, 2].map((channel) => Math.round(0.25 * 100 + 0.75 * table[3 * 255 + channel]!));
    [0, 1, 2].forEach((channel) => expect(Math.abs(out[4 + channel]! - brightest[channel]!)).toBeLessThanOrEqual(1));
  });

  it("shows no heat when it is off, or not rare enough", () => {
    expect([...composed(layers([4]), { shown: false }).slice(0, 3)]).toEqual([100, 100, 100]);
    expect([...composed(layers([4], [0.01])).slice(0, 3)]).toEqual([100, 100, 100]);
    expect([...composed(layers([4], [0.01]), { rarity: 0.02 }).slice(0, 3)]).not.toEqual([100, 100, 100]);
  });

  it("reaches down to the healthy median as more is asked for, and no further", () => {
    expect(span([2, 4], 0.005)).toEqual([2, 4]);
    expect(span([2, 4], 0.0001)).toEqual([2, 4]);
    expect(span([2, 4], 0.5)[0]).toBeCloseTo(0);
    expect(span([2, 4], 0.05)[0]).toBeLessThan(2);
  });

  it("draws what is no number as no heat", () => {
    expect([...composed(layers([Number.NaN])).slice(0, 3)]).toEqual([100, 100, 100]);
  });

  it("spreads the window of grey values over black to white", () => {
    expect(composed(layers([0]), { window: [100, 200] })[0]).toBe(0);
    expect(composed(layers([0]), { window: [0, 100] })[0]).toBe(255);
  });

  it("is black where what was seen is what was expected", () => {
    const out = new Uint8ClampedArray(8);
    difference(out, [10, 200], [10, 100], "viridis");
    expect([...out.slice(0, 4)]).toEqual([0, 0, 0, 255]);
    expect(out[5]).toBeGreaterThan(100);
  });
});

describe("heat of volumes by rarity", () => {
  const known: [number, number][] = [[0.5, 0], [0.05, 1], [0.005, 2]];

  it("is what so small a share of healthy pixels has, and between two of them lies between theirs", () => {
    expect(known.map(([share]) => heatAt(known, share))).toEqual([0, 1, 2]);
    expect(heatAt(known, Math.sqrt(0.05 * 0.005))).toBeCloseTo(1.5);
  });

  it("ends where no more is known, and is none where nothing is", () => {
    expect([heatAt(known, 0.9), heatAt(known, 1e-6), heatAt([], 0.1)]).toEqual([0, 2, null]);
  });
});

describe("outlines", () => {
  it("surround one pixel with four pieces", () => {
    expect(outline([0, 0, 0, 0, 2, 0, 0, 0, 0], 3, 3, 2)).toHaveLength(16);
  });

  it("join runs, and close at the border of the picture", () => {
    const pieces = outline([1, 1, 1, 1], 2, 2, 1);
    expect(pieces).toHaveLength(16);
    expect(Math.max(...pieces)).toBe(2);
  });

  it("are as long as the region's border", () => {
    const mask = Array.from({ length: 400 }, (_, place) => ((place * 7919) % 11 < 5 ? 1 : 0));
    const pieces = outline(mask, 20, 20, 1);
    let long = 0;
    for (let at = 0; at < pieces.length; at += 4) {
      long += Math.abs(pieces[at]! - pieces[at + 2]!) + Math.abs(pieces[at + 1]! - pieces[at + 3]!);
    }
    let edges = 0;
    const inside = (x: number, y: number) => x >= 0 && y >= 0 && x < 20 && y < 20 && mask[20 * y + x] === 1;
    for (let y = 0; y <= 20; y++)
      for (let x = 0; x <= 20; x++) {
        edges += inside(x, y) !== inside(x - 1, y) ? 1 : 0;
        edges += inside(x, y) !== inside(x, y - 1) ? 1 : 0;
      }
    expect(long).toBe(edges);
  });
});

describe("the camera", () => {
  it("fits the whole picture in the middle", () => {
    expect(fit({ width: 100, height: 50 }, { width: 200, height: 200 })).toEqual({ scale: 2, x: 0, y: 50 });
  });

  it("keeps the place under the pointer when it enlarges", () => {
    const before = { scale: 2, x: 10, y: 20 };
    const after = zoom(before, 1.7, 90, 60, 0.5);
    expect((90 - after.x) / after.scale).toBeCloseTo((90 - before.x) / before.scale);
    expect((60 - after.y) / after.scale).toBeCloseTo((60 - before.y) / before.scale);
  });

  it("stays within its limits", () => {
    expect(zoom({ scale: 1, x: 0, y: 0 }, 1e6, 0, 0, 0.5).scale).toBe(40);
    expect(zoom({ scale: 1, x: 0, y: 0 }, 1e-6, 0, 0, 0.5).scale).toBe(0.5);
    const lost = kept({ scale: 1, x: 1e5, y: -1e5 }, { width: 100, height: 100 }, { width: 300, height: 300 });
    expect(lost.x).toBeLessThan(300);
    expect(lost.y + 100).toBeGreaterThan(0);
  });

  it("puts a place in the middle", () => {
    const at = centre({ scale: 3, x: 0, y: 0 }, 10, 20, { width: 300, height: 300 });
    expect([at.x + 3 * 10, at.y + 3 * 20]).toEqual([150, 150]);
  });
});

describe("affines", () => {
  const affine = [
    [0, -0.9, 0.1, 80],
    [0.2, 0, -2.9, 60],
    [1.1, 0.1, 0, -70],
    [0, 0, 0, 1],
  ];

  it("go there and back", () => {
    const voxel: Point = [12, 34, 5];
    const back = toVoxel(affine, toMm(affine, voxel));
    back?.forEach((value, axis) => expect(value).toBeCloseTo(voxel[axis]!));
  });

  it("tell which axis goes across a plane's slices", () => {
    expect(axisOf(affine, "axial")).toBe(0);
    expect(axisOf(affine, "sagittal")).toBe(1);
    expect(axisOf(affine, "coronal")).toBe(2);
    expect(axisOf(affine, null)).toBeNull();
  });

  it("without an inverse give nothing", () => {
    expect(toVoxel([[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]], [1, 2, 3])).toBeNull();
  });
});

describe("colours of heat", () => {
  it.each(["inferno", "cividis", "viridis"] as const)("%s grows lighter all the way", (name) => {
    const table = colours(name);
    const light = Array.from({ length: 256 }, (_, share) => 0.2126 * table[3 * share]! + 0.7152 * table[3 * share + 1]! + 0.0722 * table[3 * share + 2]!);
    light.slice(1).forEach((value, place) => expect(value).toBeGreaterThanOrEqual(light[place]! - 1));
  });
});
