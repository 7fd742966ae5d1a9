/** One NiiVue for all volumes: its programs are built once, ahead of the first volume, and kept. */

import type { Niivue, NVImage } from "@niivue/niivue";
import { colours, MAPS } from "../colour/maps";

export interface Stage {
  /** Holds the canvas; it is put where a volume is looked at, and back. */
  element: HTMLElement;
  shows: Niivue;
  image: typeof NVImage;
}

let made: Promise<Stage> | null = null;

/** Return the stage, which is made where there is none yet. */
export function stage(): Promise<Stage> {
  made ??= make().catch((error: unknown) => {
    made = null;
    throw error;
  });
  return made;
}

/** Make it when the browser has nothing else to do. */
export function warm(): void {
  if (made) return;
  const idle = window.requestIdleCallback ?? ((act: () => void) => setTimeout(act, 300));
  idle(() => void stage().catch(() => undefined));
}

/** Whether nobody looks at it. */
export function isAway(of: Stage): boolean {
  return of.element.parentElement === store();
}

/** Put the stage away. */
export function putAway(from: Stage): void {
  from.shows.onLocationChange = () => undefined;
  store().append(from.element);
}

async function make(): Promise<Stage> {
  const { Niivue, NVImage, SHOW_RENDER } = await import("@niivue/niivue");
  const element = document.createElement("div");
  element.className = "viewer-stage";
  const canvas = document.createElement("canvas");
  canvas.className = "viewer-canvas";
  canvas.tabIndex = -1;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "The volume in linked slices under its heat map. Regions and slices are listed beside it.");
  canvas.addEventListener("webglcontextlost", () => (made = null));
  element.append(canvas);
  store().append(element);
  const shows = new Niivue({
    backColor: [0, 0, 0, 1],
    crosshairColor: [0.31, 0.85, 0.92, 0.8],
    fontColor: [0.8, 0.84, 0.9, 1],
    dragAndDropEnabled: false,
    multiplanarShowRender: SHOW_RENDER.NEVER,
    loadingText: "",
    // As radiologists look, and as pictures of slices are drawn: the patient's right is on the left.
    isRadiologicalConvention: true,
    logLevel: "error",
    isResizeCanvas: true,
    show3Dcrosshair: false,
    maxDrawUndoBitmaps: 0,
    multiplanarPadPixels: 10,
  });
  for (const name of MAPS) shows.addColormap(`heat-${name}`, colormap(name));
  await shows.attachToCanvas(canvas, false);
  return { element, shows, image: NVImage };
}

/** Where it is while nobody looks: in the page, for a canvas without a size cannot be drawn on. */
function store(): HTMLElement {
  const found = document.getElementById("stage-store");
  if (found) return found;
  const place = document.createElement("div");
  place.id = "stage-store";
  place.setAttribute("aria-hidden", "true");
  document.body.append(place);
  return place;
}

function colormap(name: (typeof MAPS)[number]) {
  const table = colours(name);
  const places = Array.from({ length: 256 }, (_, place) => place);
  return {
    R: places.map((place) => table[3 * place]!),
    G: places.map((place) => table[3 * place + 1]!),
    B: places.map((place) => table[3 * place + 2]!),
    A: places.map((place) => Math.round(255 * Math.sqrt(place / 255))),
    I: places,
  };
}
