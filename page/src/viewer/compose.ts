/** A scan under its heat, pixel by pixel: the same picture that `atypia score` writes, and what can be asked of it. */

import { colours, type MapName } from "../colour/maps";

/** A scan with its heat map; all (H * W). `p` has, for each pixel, the share of healthy pixels as high. */
export interface Layers {
  width: number;
  height: number;
  grey: Uint8Array | Uint8ClampedArray;
  heat: Float32Array | null;
  p: Float32Array | null;
  /** Up to where heat is clear, and from where it is brightest, in the detector's units. */
  scale: [number, number];
}

export interface Look {
  shown: boolean;
  opacity: number;
  colours: MapName;
  /** Only pixels that so small a share of healthy pixels equals are coloured. */
  rarity: number;
  /** Where rarity is not known: from which heat on; null for where the scale is clear. */
  from: number | null;
  /** Grey values that are drawn black and white. */
  window: [number, number];
}

/** The rarity from which pictures written by `atypia score` begin to colour. */
export const USUAL_RARITY = 0.005;
export const RARITIES: [number, number] = [0.0001, 0.5];
export const OPACITY = 0.75;

/** Write RGBA (4 * H * W) of the layers. */
export function compose(out: Uint8ClampedArray, layers: Layers, look: Look): void {
  const { grey, heat, p } = layers;
  const table = colours(look.colours);
  const [black, white] = look.window;
  const gain = 255 / Math.max(white - black, 1);
  const [from, to] = p ? span(layers.scale, look.rarity) : [look.from ?? layers.scale[0], layers.scale[1]];
  const count = layers.width * layers.height;
  for (let place = 0; place < count; place++) {
    const ground = Math.min(255, Math.max(0, (grey[place]! - black) * gain));
    const at = 4 * place;
    const share = look.shown && heat ? heatShare(heat[place]!, p ? p[place]! : null, from, to, look.rarity) : 0;
    const weight = share > 0 ? look.opacity * Math.sqrt(share) : 0;
    const colour = 3 * Math.round(255 * share);
    out[at] = (1 - weight) * ground + weight * table[colour]!;
    out[at + 1] = (1 - weight) * ground + weight * table[colour + 1]!;
    out[at + 2] = (1 - weight) * ground + weight * table[colour + 2]!;
    out[at + 3] = 255;
  }
}

/** Where colours begin and end: lower than usual where more than the rarest pixels are asked for. */
export function span(scale: [number, number], rarity: number): [number, number] {
  const [clear, full] = scale;
  const median = 2 * clear - full;
  const share = Math.log(rarity / USUAL_RARITY) / Math.log(RARITIES[1] / USUAL_RARITY);
  return [clear + (median - clear) * Math.min(1, Math.max(0, share)), full];
}

/** The heat that so small a share of healthy pixels has at least, between those that are known; null without. */
export function heatAt(rarities: [number, number][], rarity: number): number | null {
  const next = rarities.findIndex(([share]) => share <= rarity);
  const [above, below] = [rarities[next < 0 ? rarities.length - 1 : Math.max(0, next - 1)], rarities.at(next)];
  if (!above || !below) return null;
  const way = above[0] === below[0] ? 1 : Math.log(rarity / above[0]) / Math.log(below[0] / above[0]);
  return above[1] + Math.min(1, Math.max(0, way)) * (below[1] - above[1]);
}

function heatShare(heat: number, p: number | null, from: number, to: number, rarity: number): number {
  if (!(heat > from) || (p !== null && p > rarity)) return 0;
  return Math.min(1, (heat - from) / Math.max(to - from, 1e-30));
}

/** Write the difference of what was seen and what was expected, both grey (N,), in the colours of heat. */
export function difference(
  out: Uint8ClampedArray,
  seen: ArrayLike<number>,
  expected: ArrayLike<number>,
  name: MapName,
): void {
  const table = colours(name);
  for (let place = 0; place < seen.length; place++) {
    const apart = Math.min(255, 2 * Math.abs(seen[place]! - expected[place]!));
    const colour = 3 * apart;
    const weight = Math.sqrt(apart / 255);
    for (let channel = 0; channel < 3; channel++) out[4 * place + channel] = weight * table[colour + channel]!;
    out[4 * place + 3] = 255;
  }
}
