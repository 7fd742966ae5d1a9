/** What buttons and keys can ask of the viewer that is shown. */

import { signal } from "@preact/signals";
import type { Region } from "../api/types";

export interface Viewer {
  zoom: (factor: number) => void;
  whole: () => void;
  show: (region: Region) => void;
  /** Of volumes: go to a slice, counted along the volume's slices. */
  slice?: (index: number) => void;
}

export const viewer = signal<Viewer | null>(null);
