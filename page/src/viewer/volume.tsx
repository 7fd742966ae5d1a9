/** The viewer of volumes: NiiVue, loaded only here, with linked slices and the heat over them. */

import { useEffect, useRef, useState } from "preact/hooks";
import { useSignalEffect } from "@preact/signals";
import type { Niivue, NVImage } from "@niivue/niivue";
import { bytes, unpacked } from "../api/client";
import type { Finding } from "../api/types";
import { colours, MAPS } from "../colour/maps";
import { figure } from "../words";
import { axisOf, toMm, toVoxel, type Point } from "./affine";
import { viewer } from "./handle";
import { address } from "./loading";
import { colourMap, heatFrom, opacity, shown } from "./look";

export type Planes = "all" | "axial" | "coronal" | "sagittal";

interface Props {
  finding: Finding;
  planes: Planes;
  /** Called with the index of the slice that the crosshair is in, along the plane that was judged. */
  onSlice: (index: number) => void;
}

export function VolumeViewer({ finding, planes, onSlice }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const shows = useRef<Niivue | null>(null);
  const due = useRef(0);
  const [message, setMessage] = useState<string | null>("Loading the volume…");
  const [place, setPlace] = useState("");

  useEffect(() => {
    let mine = true;
    const target = canvas.current;
    if (!target) return;
    setMessage("Loading the volume…");
    open(target, finding, (mm, value) => {
      setPlace(`${mm.map((one) => one.toFixed(0)).join(", ")} mm${value ? ` · heat ${figure(value, 3)}` : ""}`);
      const index = sliceAt(finding, mm);
      if (index !== null) onSlice(index);
    })
      .then((opened) => {
        if (!mine) return opened.cleanup();
        shows.current = opened;
        viewer.value = handles(opened, finding);
        setMessage(null);
        const first = finding.regions[0];
        if (first) viewer.value.show(first);
        else if (finding.look_at?.[0] !== undefined) viewer.value.slice?.(finding.look_at[0]);
      })
      .catch((error: Error) => mine && setMessage(error.message));
    return () => {
      mine = false;
      viewer.value = null;
      shows.current?.cleanup();
      shows.current = null;
    };
  }, [finding.id]);

  useSignalEffect(() => {
    void [shown.value, opacity.value, colourMap.value, heatFrom.value];
    cancelAnimationFrame(due.current);
    due.current = requestAnimationFrame(() => shows.current && dress(shows.current, finding));
  });

  useEffect(() => {
    const opened = shows.current;
    if (opened && message === null) opened.setSliceType(sliceType(opened, planes));
  }, [planes, message]);

  return (
    <div class="viewer" data-ready={message === null ? "yes" : undefined}>
      <canvas
        key={finding.id}
        ref={canvas}
        class="viewer-canvas"
        tabIndex={-1}
        role="img"
        aria-label="The volume in linked slices under its heat map. Regions and slices are listed beside it."
      />
      {message !== null && <p class="viewer-message">{message}</p>}
      <p class="viewer-readout" aria-hidden="true">
        {place}
      </p>
    </div>
  );
}

async function open(
  target: HTMLCanvasElement,
  finding: Finding,
  at: (mm: Point, heat: number | null) => void,
): Promise<Niivue> {
  const scan = address(finding, "scan.nii.gz");
  const map = address(finding, "map.nii.gz");
  if (!scan) throw new Error("This finding has no volume to show.");
  const [{ Niivue, NVImage, SHOW_RENDER }, scanBytes, mapBytes] = await Promise.all([
    import("@niivue/niivue"),
    contents(scan),
    map ? contents(map) : null,
  ]);
  const shows = new Niivue({
    backColor: [0, 0, 0, 1],
    crosshairColor: [0.31, 0.85, 0.92, 0.8],
    fontColor: [0.8, 0.84, 0.9, 1],
    dragAndDropEnabled: false,
    multiplanarShowRender: SHOW_RENDER.NEVER,
    loadingText: "",
    logLevel: "error",
    isResizeCanvas: true,
    show3Dcrosshair: false,
  });
  for (const name of MAPS) shows.addColormap(`heat-${name}`, colormap(name));
  shows.onLocationChange = (location) => {
    const told = location as { mm: ArrayLike<number>; values?: { value: number }[] };
    at([told.mm[0]!, told.mm[1]!, told.mm[2]!], told.values?.[1]?.value ?? null);
  };
  await shows.attachToCanvas(target);
  const volumes = [await NVImage.loadFromUrl({ url: scan, name: "scan.nii", buffer: scanBytes, colormap: "gray" })];
  if (map && mapBytes) {
    const [clear, full] = finding.heat_scale ?? [0, 1];
    const known = { cal_min: clear, cal_max: full, trustCalMinMax: true };
    const heat = await NVImage.loadFromUrl({ url: map, name: "map.nii", buffer: mapBytes, colormap: "gray", ...known });
    choose(heat, finding);
    volumes.push(heat);
  }
  // Both go to the graphics card at once: adding one after the other would send the first again.
  shows.volumes = volumes;
  shows.setVolume(volumes[0]!, 0);
  return shows;
}

/** Fetch and unpack a volume: the browser unpacks faster than a script does. */
async function contents(url: string): Promise<ArrayBuffer> {
  return unpacked(await bytes(url));
}

/** Show the heat as it is chosen. */
function dress(shows: Niivue, finding: Finding): void {
  const heat = shows.volumes[1];
  if (!heat) return;
  choose(heat, finding);
  shows.refreshLayers(heat, 1);
  shows.drawScene();
}

function choose(heat: NVImage, finding: Finding): void {
  const [clear, full] = finding.heat_scale ?? [0, 1];
  heat.cal_min = heatFrom.value ?? clear;
  heat.cal_max = Math.max(full, heat.cal_min + 1e-6);
  heat.colormap = `heat-${colourMap.value}`;
  heat.opacity = shown.value ? opacity.value : 0;
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

function sliceType(shows: Niivue, planes: Planes): number {
  return {
    all: shows.sliceTypeMultiplanar,
    axial: shows.sliceTypeAxial,
    coronal: shows.sliceTypeCoronal,
    sagittal: shows.sliceTypeSagittal,
  }[planes];
}

function handles(shows: Niivue, finding: Finding) {
  const to = (mm: Point) => {
    shows.scene.crosshairPos = shows.mm2frac(mm);
    shows.createOnLocationChange();
    shows.drawScene();
  };
  const here = () => Array.from(shows.frac2mm(shows.scene.crosshairPos)).slice(0, 3) as Point;
  return {
    zoom: (factor: number) => {
      const [x, y, z, scale] = shows.scene.pan2Dxyzmm;
      shows.setPan2Dxyzmm([x!, y!, z!, Math.min(10, Math.max(0.5, scale! * factor))]);
    },
    whole: () => shows.setPan2Dxyzmm([0, 0, 0, 1]),
    show: (region: { centre: number[] | null }) => region.centre && to(region.centre as Point),
    slice: (index: number) => {
      const axis = finding.affine && axisOf(finding.affine, finding.plane);
      const voxel = finding.affine && toVoxel(finding.affine, here());
      if (!finding.affine || axis === null || !voxel) return;
      voxel[axis] = index;
      to(toMm(finding.affine, voxel));
    },
  };
}

function sliceAt(finding: Finding, mm: Point): number | null {
  if (!finding.affine) return null;
  const axis = axisOf(finding.affine, finding.plane);
  const voxel = toVoxel(finding.affine, mm);
  return axis === null || !voxel ? null : Math.round(voxel[axis]!);
}
