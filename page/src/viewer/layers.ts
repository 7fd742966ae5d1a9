/** A volume, its heat and its regions, as NiiVue holds them. */

import type { Niivue, NVImage } from "@niivue/niivue";
import { ApiError, bytes, unpacked } from "../api/client";
import type { Finding } from "../api/types";
import { address } from "./loading";
import { heatAt } from "./compose";
import { colourMap, heatFrom, outlines, rarity } from "./look";
import { isShown } from "./regions";
import { isAway, stage, type Stage } from "./stage";

export type Layers = readonly [NVImage, NVImage | null, NVImage | null];

const KEPT = 3;
const known = new Map<string, Promise<Layers>>();

/** Just enough that NiiVue draws the border of a region, and nothing inside. */
const UNSEEN = 0.002;
const OUTLINE = [255, 255, 255] as const;
const CHOSEN = [90, 220, 235] as const;

/** Return the layers of a volume; those asked for last are kept. `ahead` where nobody looks yet. */
export function layersOf(finding: Finding, ahead = false): Promise<Layers> {
  const asked = known.get(finding.id) ?? load(finding, ahead);
  known.delete(finding.id);
  known.set(finding.id, asked);
  asked.catch(() => known.delete(finding.id));
  for (const id of known.keys()) {
    if (known.size <= KEPT) break;
    known.delete(id);
  }
  return asked;
}

/** Have a volume on the stage before anybody looks at it, unless another is looked at. */
export async function rehearse(finding: Finding): Promise<void> {
  const [made, layers] = await Promise.all([stage(), layersOf(finding, true)]);
  if (isAway(made)) put(made, finding, layers);
}

/** Put a volume on the stage in place of what was there, all layers at once. */
export function put(made: Stage, finding: Finding, [scan, heat, regions]: Layers): void {
  const { shows } = made;
  if (shows.volumes[0] === scan) return recolour(shows, finding);
  if (heat) Object.assign(heat, heatOf(finding));
  shows.closeDrawing();
  shows.volumes = heat ? [scan, heat] : [scan];
  shows.setVolume(scan, 0);
  if (regions) shows.loadDrawing(regions);
}

/** Colour the heat as it is asked for, where it is not yet; opacity is none of it. */
export function recolour(shows: Niivue, finding: Finding): void {
  const heat = shows.volumes[1];
  const look = heatOf(finding);
  if (!heat || (heat.cal_min === look.cal_min && heat.cal_max === look.cal_max && heat.colormap === look.colormap)) return;
  Object.assign(heat, look);
  shows.refreshLayers(heat, 1);
}

async function load(finding: Finding, ahead: boolean): Promise<Layers> {
  const scan = address(finding, "view/scan.nii.gz", ahead) ?? address(finding, "scan.nii.gz", ahead);
  if (!scan) throw new ApiError(404, "This finding has no volume to show", "");
  const heat = address(finding, "view/heat.nii.gz", ahead) ?? address(finding, "map.nii.gz", ahead);
  const regions = address(finding, "view/regions.nii.gz", ahead);
  const contents = async (url: string | null) => (url ? unpacked(await bytes(url)) : null);
  const [{ image }, ...files] = await Promise.all([stage(), contents(scan), contents(heat), contents(regions)]);
  const read = (name: string, buffer: ArrayBuffer, more = {}) =>
    image.loadFromUrl({ url: `${name}.nii`, name: `${name}.nii`, buffer, colormap: "gray", ...more });
  return Promise.all([
    read("scan", files[0]!),
    files[1] && read("heat", files[1], shownAs(finding)),
    files[2] && read("regions", files[2]),
  ]);
}

/** What need not be worked out of the heat: how it is shown. */
function shownAs(finding: Finding) {
  const [clear, full] = finding.heat_scale ?? [0, 1];
  return { cal_min: clear, cal_max: full, trustCalMinMax: true, colormap: "gray" };
}

function heatOf(finding: Finding) {
  const [clear, full] = finding.heat_scale ?? [0, 1];
  const from = heatAt(finding.rarities ?? [], rarity.value) ?? heatFrom.value ?? clear;
  // The colours come first: NiiVue forgets the limits when they are set.
  return { colormap: `heat-${colourMap.value}`, cal_min: from, cal_max: Math.max(full, from + 1e-6) };
}

/** Draw the borders of those regions that are asked for. */
export function rim(shows: Niivue, finding: Finding, selected: number | null): void {
  shows.drawRimOpacity = outlines.value ? 1 : -1;
  shows.drawOpacity = outlines.value ? UNSEEN : 0;
  const lut = new Uint8ClampedArray(4 * 256);
  for (const region of finding.regions) {
    const colour = region.rank === selected ? CHOSEN : OUTLINE;
    if (region.rank < 256 && isShown(region)) lut.set([...colour, 255], 4 * region.rank);
  }
  if (shows.drawLut.lut.every((value, place) => value === lut[place])) return;
  shows.drawLut = { ...shows.drawLut, lut };
  shows.refreshColormaps();
}
