/** What happens on the server, as it happens: one stream for the whole page. */

import { signal } from "@preact/signals";
import { BASE } from "./client";
import type { FindingRow, Job } from "./types";

export interface Listener {
  job?: (job: Job) => void;
  finding?: (row: FindingRow) => void;
  /** Too much has happened meanwhile: load anew. */
  reset?: () => void;
}

/** Whether the stream is open; the page then need not ask by itself. */
export const live = signal(false);

const listeners = new Set<Listener>();
let source: EventSource | null = null;

/** Hear of jobs and findings; the return value stops it. */
export function listen(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Open the stream; the browser opens it again after a break, from where it was. */
export function connect(): void {
  if (source) return;
  source = new EventSource(`${BASE}/events`);
  source.onopen = () => (live.value = true);
  source.onerror = () => {
    live.value = false;
    if (source?.readyState === EventSource.CLOSED) again();
  };
  source.addEventListener("job", (event) => tell("job", event));
  source.addEventListener("reset", () => listeners.forEach((listener) => listener.reset?.()));
  source.addEventListener("finding", (event) => tell("finding", event));
}

/** Close it. */
export function disconnect(): void {
  source?.close();
  source = null;
  live.value = false;
}

function again(): void {
  disconnect();
  setTimeout(connect, 5000);
}

function tell(kind: "job" | "finding", event: MessageEvent<string>): void {
  let data: unknown;
  try {
    data = JSON.parse(event.data);
  } catch {
    return;
  }
  for (const listener of listeners) {
    if (kind === "job") listener.job?.(data as Job);
    else listener.finding?.(data as FindingRow);
  }
}
