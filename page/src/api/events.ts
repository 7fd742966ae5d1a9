/** What happens on the server, as it happens: one stream for the whole page. */

import { signal } from "@preact/signals";
import { BASE } from "./client";
import type { FindingRow, Job } from "./types";

export interface Listener {
  job?: (job: Job) => void;
  finding?: (row: FindingRow) => void;
  /** A job, with all that was found of it, or a finding was deleted. */
  gone?: (id: string) => void;
  /** A Screener was added, changed or taken away; with a new threshold its findings were decided again. */
  screener?: () => void;
  /** A study came, or a result went out or did not. */
  exchange?: () => void;
  /** Too much has happened meanwhile: load anew. */
  reset?: () => void;
}

/** Whether the stream is open; the page then need not ask by itself. */
export const live = signal(false);

/** Whether the server has not been heard of for a while, so that what is shown may be old. */
export const lost = signal(false);

const PATIENCE = 4000;
const listeners = new Set<Listener>();
let source: EventSource | null = null;
let missed = false;
let due: ReturnType<typeof setTimeout> | undefined;
let worry: ReturnType<typeof setTimeout> | undefined;

/** Hear of jobs and findings; the return value stops it. */
export function listen(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Open the stream; the browser opens it again after a break, from where it was. */
export function connect(): void {
  if (source) return;
  source = new EventSource(`${BASE}/events`);
  source.onopen = () => {
    clearTimeout(worry);
    worry = undefined;
    live.value = true;
    lost.value = false;
    if (missed) reset();
    missed = false;
  };
  source.onerror = () => {
    live.value = false;
    worry ??= setTimeout(() => (lost.value = true), PATIENCE);
    if (source?.readyState === EventSource.CLOSED) again();
  };
  source.addEventListener("job", (event) => tell("job", event));
  source.addEventListener("reset", reset);
  source.addEventListener("finding", (event) => tell("finding", event));
  source.addEventListener("screener", () => listeners.forEach((listener) => listener.screener?.()));
  for (const kind of ["study", "delivery"]) {
    source.addEventListener(kind, () => listeners.forEach((listener) => listener.exchange?.()));
  }
}

/** Close it. */
export function disconnect(): void {
  close();
  clearTimeout(worry);
  worry = undefined;
  lost.value = false;
  clearTimeout(due);
}

function close(): void {
  source?.close();
  source = null;
  live.value = false;
}

function again(): void {
  close();
  missed = true;
  due = setTimeout(connect, 5000);
}

function reset(): void {
  for (const listener of listeners) listener.reset?.();
}

function tell(kind: "job" | "finding", event: MessageEvent<string>): void {
  let data: { id: string; deleted?: boolean };
  try {
    data = JSON.parse(event.data);
  } catch {
    return;
  }
  for (const listener of listeners) {
    if (data.deleted) listener.gone?.(data.id);
    else if (kind === "job") listener.job?.(data as Job);
    else listener.finding?.(data as FindingRow);
  }
}
