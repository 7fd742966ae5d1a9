/** The viewer of volumes: NiiVue, loaded only here, with linked slices, the heat and the regions over them. */

import { useEffect, useRef, useState } from "preact/hooks";
import { useSignalEffect } from "@preact/signals";
import type { Niivue, NVImage } from "@niivue/niivue";
import type { Finding, Region } from "../api/types";
import { figure } from "../words";
import { axisOf, toMm, toVoxel, type Point } from "./affine";
import { viewer } from "./handle";
import { Zoom } from "./toolbar";
import { colourMap, heatFrom, opacity, outlines, rarity, regionsTo, shown } from "./look";
import { layersOf, put, recolour, rim } from "./layers";
import { putAway, stage, type Stage } from "./stage";

export type Planes = "all" | "axial" | "coronal" | "sagittal";

interface Props {
  finding: Finding;
  planes: Planes;
  selected: number | null;
  /** Called with the index of the slice that the crosshair is in, along the plane that was judged. */
  onSlice: (index: number) => void;
}

export function VolumeViewer({ finding, planes, selected, onSlice }: Props) {
  const holder = useRef<HTMLDivElement>(null);
  const shows = useRef<Niivue | null>(null);
  const due = useRef(0);
  const [message, setMessage] = useState<string | null>("Loading the volume…");
  const [place, setPlace] = useState("");

  useEffect(() => {
    let mine = true;
    let used: Stage | null = null;
    setMessage("Loading the volume…");
    Promise.all([stage(), layersOf(finding)])
      .then(async ([made, layers]) => {
        if (!mine || !holder.current) return;
        used = made;
        // Nothing is drawn until all is in its place: drawing waits for the graphics card each time.
        made.shows.isBusy = true;
        holder.current.append(made.element);
        made.shows.onLocationChange = (location) => {
          const told = location as { mm: ArrayLike<number>; values?: { value: number }[] };
          const mm: Point = [told.mm[0]!, told.mm[1]!, told.mm[2]!];
          const value = told.values?.[1]?.value;
          setPlace(`${mm.map((one) => one.toFixed(0)).join(", ")} mm${value ? ` · heat ${figure(value, 3)}` : ""}`);
          const index = sliceAt(finding, mm);
          if (index !== null) onSlice(index);
        };
        put(made, finding, layers);
        made.shows.opts.sliceType = sliceType(made.shows, planes);
        made.shows.scene.pan2Dxyzmm = [0, 0, 0, 1] as unknown as typeof made.shows.scene.pan2Dxyzmm;
        made.shows.overlayAlphaShader = shown.value ? opacity.value : 0;
        rim(made.shows, finding, selected);
        await resized();
        made.shows.isBusy = false;
        if (!mine) return;
        shows.current = made.shows;
        viewer.value = handles(made.shows, finding, layers[2]);
        setMessage(null);
        const first = finding.regions[0];
        if (first) viewer.value.show(first);
        else viewer.value.slice?.(finding.look_at?.[0] ?? 0);
      })
      .catch((error: Error) => mine && setMessage(error.message));
    return () => {
      mine = false;
      viewer.value = null;
      shows.current = null;
      if (used) putAway(used);
    };
  }, [finding.id]);

  useSignalEffect(() => {
    void [shown.value, opacity.value, colourMap.value, heatFrom.value, rarity.value, outlines.value, regionsTo.value];
    cancelAnimationFrame(due.current);
    due.current = requestAnimationFrame(() => redress());
  });
  useEffect(() => redress(), [selected]);
  const redress = () => {
    const opened = shows.current;
    if (!opened) return;
    recolour(opened, finding);
    opened.overlayAlphaShader = shown.value ? opacity.value : 0;
    rim(opened, finding, selected);
    opened.drawScene();
  };

  useEffect(() => {
    const opened = shows.current;
    if (opened && message === null) opened.setSliceType(sliceType(opened, planes));
  }, [planes]);

  return (
    <div class="viewer" data-ready={message === null ? "yes" : undefined}>
      <div ref={holder} class="viewer-holder" />
      {message !== null && <p class="viewer-message">{message}</p>}
      <Zoom />
      <p class="viewer-readout" aria-hidden="true">
        {place}
      </p>
    </div>
  );
}

/** Two frames on, the canvas has the size of its new place. */
function resized(): Promise<void> {
  return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve())));
}

function sliceType(shows: Niivue, planes: Planes): number {
  return {
    all: shows.sliceTypeMultiplanar,
    axial: shows.sliceTypeAxial,
    coronal: shows.sliceTypeCoronal,
    sagittal: shows.sliceTypeSagittal,
  }[planes];
}

function handles(shows: Niivue, finding: Finding, regions: NVImage | null) {
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
    show: (region: Region) => {
      const at = hottest(shows, regions, region.rank) ?? region.centre;
      if (at) to(at as Point);
    },
    slice: (index: number) => {
      const axis = finding.affine && axisOf(finding.affine, finding.plane);
      const voxel = finding.affine && toVoxel(finding.affine, here());
      if (!finding.affine || axis === null || !voxel) return;
      voxel[axis] = index;
      to(toMm(finding.affine, voxel));
    },
  };
}

/** Where the heat of a region is highest, in mm; null where that is not known. */
function hottest(shows: Niivue, regions: NVImage | null, rank: number): Point | null {
  const heat = shows.volumes[1];
  const [values, ranks] = [heat?.img, regions?.img];
  if (!heat?.hdr || !values || ranks?.length !== values.length) return null;
  let best = -1;
  for (let place = 0; place < values.length; place++) {
    if (ranks[place] === rank && (best < 0 || values[place]! > values[best]!)) best = place;
  }
  if (best < 0) return null;
  const [, across, down] = heat.hdr.dims as [number, number, number];
  return toMm(heat.hdr.affine, [best % across, Math.floor(best / across) % down, Math.floor(best / (across * down))]);
}

function sliceAt(finding: Finding, mm: Point): number | null {
  if (!finding.affine) return null;
  const axis = axisOf(finding.affine, finding.plane);
  const voxel = toVoxel(finding.affine, mm);
  return axis === null || !voxel ? null : Math.round(voxel[axis]!);
}
