/** How findings are shown; kept in this browser. */

import { effect, signal } from "@preact/signals";
import { MAPS, type MapName } from "../colour/maps";
import { recalled, remembered } from "../state/browser";
import { OPACITY, RARITIES, USUAL_RARITY } from "./compose";

export const shown = signal(true);
export const outlines = signal(true);
export const opacity = signal(number("opacity", OPACITY, 0, 1));
export const rarity = signal(number("rarity", USUAL_RARITY, ...RARITIES));
/** From which heat on volumes are coloured, in the detector's units; null for where their scale is clear. */
export const heatFrom = signal<number | null>(null);
/** Regions with a p-value up to this are outlined and listed. */
export const regionsTo = signal(1);
export const colourMap = signal<MapName>(MAPS.find((name) => name === recalled("colours")) ?? "inferno");
export const WINDOW: [number, number] = [0, 255];
export const greyWindow = signal<[number, number]>(WINDOW);
export const tool = signal<"move" | "window">("move");

effect(() => remembered("opacity", String(opacity.value)));
effect(() => remembered("rarity", String(rarity.value)));
effect(() => remembered("colours", colourMap.value));

/** Change the opacity by a step, within [0, 1]. */
export function stepOpacity(step: number): void {
  opacity.value = Math.min(1, Math.max(0, Math.round(20 * (opacity.value + step)) / 20));
}

function number(key: string, usual: number, least: number, most: number): number {
  const value = Number(recalled(key) ?? Number.NaN);
  return value >= least && value <= most ? value : usual;
}
