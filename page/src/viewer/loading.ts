/** The layers of a finding, fetched once and kept while they are likely to be looked at again. */

import { ApiError, floats } from "../api/client";
import type { Finding } from "../api/types";
import type { Layers } from "./compose";

/** A finding's picture as the viewer wants it; `mask` (H * W) has the regions' ranks. */
export interface Picture extends Layers {
  mask: Uint8Array | null;
}

export interface Grey {
  width: number;
  height: number;
  values: Uint8Array;
}

const KEPT = 12;
const pictures = new Map<string, Promise<Picture>>();

/** Return the layers of a finding; those asked for last are kept. `ahead` where nobody looks yet. */
export function picture(finding: Finding, ahead = false): Promise<Picture> {
  const known = pictures.get(finding.id);
  const asked = known ?? load(finding, ahead);
  pictures.delete(finding.id);
  pictures.set(finding.id, asked);
  asked.catch(() => pictures.delete(finding.id));
  for (const id of pictures.keys()) {
    if (pictures.size <= KEPT) break;
    pictures.delete(id);
  }
  return asked;
}

/** The address of a finding's file, or null where there is none; `ahead` where nobody looks yet: the audit log tells these apart. */
export function address(finding: Finding, name: string, ahead = false): string | null {
  const url = finding.files.find((file) => file.name === name)?.url ?? null;
  return url && ahead ? `${url}?prefetch=1` : url;
}

async function load(finding: Finding, ahead: boolean): Promise<Picture> {
  const scan = address(finding, "scan.png", ahead);
  if (!scan) throw new ApiError(404, "This finding has no picture of its scan", "");
  const map = address(finding, "map.bin.gz", ahead);
  const shares = address(finding, "p.bin.gz", ahead);
  const mask = address(finding, "mask.png", ahead);
  const [shown, heat, p, regions] = await Promise.all([
    grey(scan),
    map ? floats(map) : null,
    shares ? floats(shares) : null,
    mask ? grey(mask) : null,
  ]);
  const count = shown.width * shown.height;
  const whole = <T extends { length: number }>(values: T | null) => (values?.length === count ? values : null);
  return {
    width: shown.width,
    height: shown.height,
    grey: shown.values,
    heat: whole(heat),
    p: whole(p),
    mask: whole(regions?.values ?? null),
    scale: finding.heat_scale ?? [0, 1],
  };
}

/** Return the grey values (H * W) of a picture file. */
export async function grey(url: string): Promise<Grey> {
  const image = new Image();
  image.src = url;
  await image.decode().catch(() => {
    throw new ApiError(0, "A picture of this finding could not be loaded", "Try again.");
  });
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new ApiError(0, "This browser cannot draw", "A canvas with two dimensions is needed.");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const values = new Uint8Array(canvas.width * canvas.height);
  for (let place = 0; place < values.length; place++) values[place] = data[4 * place]!;
  return { width: canvas.width, height: canvas.height, values };
}
