/** Colours of heat. */

import { TABLES } from "./tables";

export type MapName = keyof typeof TABLES;
export const MAPS = Object.keys(TABLES) as MapName[];

/** Tables begin here: their darkest colours would read as shadows on a scan. */
export const DARKEST = 0.25;

const known = new Map<MapName, Uint8Array>();

/** Return the RGB colours (256 * 3) of shares 0 to 255 of the heat. */
export function colours(name: MapName): Uint8Array {
  const found = known.get(name);
  if (found) return found;
  const table = Uint8Array.from(atob(TABLES[name]), (letter) => letter.charCodeAt(0));
  const made = new Uint8Array(768);
  for (let share = 0; share < 256; share++) {
    const place = Math.round(255 * (DARKEST + ((1 - DARKEST) * share) / 255));
    made.set(table.subarray(3 * place, 3 * place + 3), 3 * share);
  }
  known.set(name, made);
  return made;
}
