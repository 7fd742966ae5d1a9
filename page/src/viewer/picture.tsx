/** The viewer of pictures: a canvas with the scan, its heat and the outlines of its regions. */

import { useEffect, useRef, useState } from "preact/hooks";
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import type { Finding } from "../api/types";
import { figure, oneIn } from "../words";
import { centre, fit, kept, zoom, type Camera, type Size } from "./camera";
import { compose } from "./compose";
import { picture, type Picture } from "./loading";
import { colourMap, greyWindow, heatFrom, opacity, outlines, rarity, shown, tool } from "./look";
import { outline } from "./outline";
import { viewer } from "./handle";
import { Zoom } from "./toolbar";

interface Props {
  finding: Finding;
  selected: number | null;
  onSelect: (rank: number | null) => void;
}

const NEAREST_FROM = 4;

export function PictureViewer({ finding, selected, onSelect }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [layers, setLayers] = useState<Picture | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [view, setView] = useState<Size>({ width: 0, height: 0 });
  const camera = useSignal<Camera | null>(null);
  const pointed = useSignal<string>("");
  const look = useComputed(() => ({
    shown: shown.value,
    opacity: opacity.value,
    colours: colourMap.value,
    rarity: rarity.value,
    from: heatFrom.value,
    window: greyWindow.value,
  }));

  useEffect(() => {
    let mine = true;
    setError(null);
    picture(finding)
      .then((found) => mine && setLayers(found))
      .catch((problem: Error) => mine && setError(problem.message));
    return () => {
      mine = false;
    };
  }, [finding.id]);

  useEffect(() => watch(canvas.current, setView), []);

  useEffect(() => {
    if (layers && view.width > 0) camera.value = fit(layers, view);
  }, [layers, view.width, view.height]);

  const composed = useRef<{ canvas: OffscreenCanvas; key: unknown; layers: Picture } | null>(null);
  const lines = useRef<{ layers: Picture; pieces: number[][] } | null>(null);

  const draw = () => {
    const target = canvas.current;
    const at = camera.value;
    if (!target || !layers || !at || view.width === 0) return;
    if (composed.current?.layers !== layers || composed.current.key !== look.value) {
      composed.current = { canvas: composition(layers, look.value), key: look.value, layers };
    }
    if (lines.current?.layers !== layers) {
      const pieces = finding.regions.map((region) =>
        layers.mask ? outline(layers.mask, layers.width, layers.height, region.rank) : [],
      );
      lines.current = { layers, pieces };
    }
    const pen = target.getContext("2d");
    if (!pen) return;
    const ratio = sharp(target, view);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, view.width, view.height);
    pen.imageSmoothingEnabled = at.scale < NEAREST_FROM;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(composed.current.canvas, at.x, at.y, at.scale * layers.width, at.scale * layers.height);
    if (!outlines.value) return;
    lines.current.pieces.forEach((pieces, place) => {
      stroke(pen, pieces, at, finding.regions[place]?.rank === selected);
    });
  };

  useSignalEffect(() => {
    void [camera.value, look.value, outlines.value];
    draw();
  });
  useEffect(draw, [layers, view.width, view.height, selected]);

  useEffect(() => {
    const zoomBy = (factor: number) => {
      if (!camera.value || !layers) return;
      const smallest = fit(layers, view).scale / 2;
      camera.value = zoom(camera.value, factor, view.width / 2, view.height / 2, smallest);
    };
    viewer.value = {
      zoom: zoomBy,
      whole: () => {
        if (layers) camera.value = fit(layers, view);
      },
      show: (region) => {
        if (!camera.value || !layers || !region.centre) return;
        const [row, column] = region.centre;
        const enlarged = zoom(camera.value, Math.max(1, (1.6 * fit(layers, view).scale) / camera.value.scale), 0, 0, 0.01);
        camera.value = centre(enlarged, (column ?? 0) + 0.5, (row ?? 0) + 0.5, view);
      },
    };
    return () => {
      viewer.value = null;
    };
  }, [layers, view.width, view.height]);

  useEffect(() => {
    const target = canvas.current;
    if (!target || !layers) return;
    return handle(target, {
      camera: () => camera.value,
      move: (next) => (camera.value = kept(next, layers, view)),
      smallest: () => fit(layers, view).scale / 2,
      point: (x, y) => (pointed.value = told(layers, finding, camera.value, x, y)),
      pick: (x, y) => onSelect(rankAt(layers, camera.value, x, y)),
      whole: () => (camera.value = fit(layers, view)),
    });
  }, [layers, view.width, view.height, finding.id]);

  return (
    <div class="viewer" data-tool={tool.value} data-ready={layers && camera.value ? "yes" : undefined}>
      <canvas
        ref={canvas}
        class="viewer-canvas"
        role="img"
        aria-label={described(finding)}
      />
      {error && <p class="viewer-message">{error}</p>}
      {!error && !layers && <p class="viewer-message">Loading…</p>}
      <Zoom />
      <p class="viewer-readout" aria-hidden="true">
        {pointed}
      </p>
    </div>
  );
}

function described(finding: Finding): string {
  const count = finding.regions.length;
  const regions = count === 0 ? "no region is" : count === 1 ? "one region is" : `${count} regions are`;
  return `The scan under its heat map; ${regions} outlined as unlike healthy scans. The regions are listed beside it.`;
}

function watch(target: HTMLElement | null, tell: (size: Size) => void): (() => void) | undefined {
  if (!target) return;
  const observer = new ResizeObserver(() => tell({ width: target.clientWidth, height: target.clientHeight }));
  observer.observe(target);
  return () => observer.disconnect();
}

function composition(layers: Picture, look: Parameters<typeof compose>[2]): OffscreenCanvas {
  const canvas = new OffscreenCanvas(layers.width, layers.height);
  const pen = canvas.getContext("2d");
  const pixels = new ImageData(layers.width, layers.height);
  compose(pixels.data, layers, look);
  pen?.putImageData(pixels, 0, 0);
  return canvas;
}

function sharp(target: HTMLCanvasElement, view: Size): number {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(view.width * ratio);
  const height = Math.round(view.height * ratio);
  if (target.width !== width || target.height !== height) {
    target.width = width;
    target.height = height;
  }
  return ratio;
}

function stroke(pen: CanvasRenderingContext2D, pieces: number[], at: Camera, strong: boolean): void {
  const path = new Path2D();
  for (let place = 0; place < pieces.length; place += 4) {
    path.moveTo(at.x + at.scale * pieces[place]!, at.y + at.scale * pieces[place + 1]!);
    path.lineTo(at.x + at.scale * pieces[place + 2]!, at.y + at.scale * pieces[place + 3]!);
  }
  pen.lineCap = "square";
  pen.strokeStyle = "rgba(0, 0, 0, 0.65)";
  pen.lineWidth = strong ? 5 : 3;
  pen.stroke(path);
  pen.strokeStyle = strong ? "#ffffff" : "#4fd9eb";
  pen.lineWidth = strong ? 2.5 : 1.5;
  pen.stroke(path);
}

function placeAt(layers: Picture, at: Camera | null, x: number, y: number): [number, number] | null {
  if (!at) return null;
  const column = Math.floor((x - at.x) / at.scale);
  const row = Math.floor((y - at.y) / at.scale);
  return column >= 0 && row >= 0 && column < layers.width && row < layers.height ? [column, row] : null;
}

function rankAt(layers: Picture, at: Camera | null, x: number, y: number): number | null {
  const place = placeAt(layers, at, x, y);
  return (place && layers.mask?.[place[1] * layers.width + place[0]]) || null;
}

function told(layers: Picture, finding: Finding, at: Camera | null, x: number, y: number): string {
  const place = placeAt(layers, at, x, y);
  if (!place) return "";
  const pixel = place[1] * layers.width + place[0];
  const words = [`${place[0]}, ${place[1]}`];
  const p = layers.p?.[pixel];
  const heat = layers.heat?.[pixel];
  if (heat !== undefined && heat !== 0) words.push(`heat ${figure(heat, 3)}`);
  if (p !== undefined && p < 1) words.push(`as high in ${oneIn(p)} healthy pixels`);
  const rank = layers.mask?.[pixel];
  if (rank && finding.regions.some((region) => region.rank === rank)) words.push(`region ${rank}`);
  return words.join(" · ");
}

interface Handlers {
  camera: () => Camera | null;
  move: (camera: Camera) => void;
  smallest: () => number;
  point: (x: number, y: number) => void;
  pick: (x: number, y: number) => void;
  whole: () => void;
}

/** Pointers and wheel: drag moves or changes the window, two fingers and the wheel enlarge, a click picks. */
function handle(target: HTMLElement, does: Handlers): () => void {
  const pointers = new Map<number, { x: number; y: number }>();
  const stop = new AbortController();
  let travelled = 0;
  const on = <K extends keyof HTMLElementEventMap>(kind: K, act: (event: HTMLElementEventMap[K]) => void) =>
    target.addEventListener(kind, act, { signal: stop.signal, passive: false });

  on("pointerdown", (event) => {
    target.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    travelled = 0;
  });
  on("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return does.point(event.offsetX, event.offsetY);
    const [dx, dy] = [event.offsetX - before.x, event.offsetY - before.y];
    travelled += Math.abs(dx) + Math.abs(dy);
    const camera = does.camera();
    if (!camera) return;
    if (pointers.size === 2) pinch(pointers, event, camera, does);
    else if (tool.value === "window" || event.shiftKey || event.buttons === 2) changeWindow(dx, dy);
    else does.move({ ...camera, x: camera.x + dx, y: camera.y + dy });
    pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
  });
  const up = (event: PointerEvent) => {
    const was = pointers.delete(event.pointerId);
    if (was && event.type === "pointerup" && travelled < 4 && event.button === 0) does.pick(event.offsetX, event.offsetY);
  };
  on("pointerup", up);
  on("pointercancel", up);
  on("pointerleave", () => does.point(-1e9, -1e9));
  on("contextmenu", (event) => event.preventDefault());
  on("dblclick", () => does.whole());
  on("wheel", (event) => {
    event.preventDefault();
    const camera = does.camera();
    if (camera) does.move(zoom(camera, Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY, does.smallest()));
  });
  return () => stop.abort();
}

function pinch(
  pointers: Map<number, { x: number; y: number }>,
  event: PointerEvent,
  camera: Camera,
  does: Handlers,
): void {
  const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
  const before = pointers.get(event.pointerId);
  if (!other || !before) return;
  const apart = (point: { x: number; y: number }) => Math.hypot(point.x - other.x, point.y - other.y);
  const factor = apart({ x: event.offsetX, y: event.offsetY }) / Math.max(1, apart(before));
  const enlarged = zoom(camera, factor, (other.x + event.offsetX) / 2, (other.y + event.offsetY) / 2, does.smallest());
  does.move({
    ...enlarged,
    x: enlarged.x + (event.offsetX - before.x) / 2,
    y: enlarged.y + (event.offsetY - before.y) / 2,
  });
}

/** Across is contrast, up is brightness. */
function changeWindow(dx: number, dy: number): void {
  const [black, white] = greyWindow.value;
  const width = Math.min(510, Math.max(4, white - black + dx));
  const middle = Math.min(255, Math.max(0, (black + white) / 2 + dy / 2));
  greyWindow.value = [middle - width / 2, middle + width / 2];
}
