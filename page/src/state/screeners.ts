/** The Screeners of this server, and the healthy scores each was calibrated on. */

import { signal } from "@preact/signals";
import { api } from "../api/client";
import { listen } from "../api/events";
import type { Healthy, Page, Screener } from "../api/types";

export const screeners = signal<Screener[]>([]);
const healthy = new Map<string, Promise<Healthy>>();

/** Load the list. */
export async function loadScreeners(): Promise<void> {
  const answer = await api<Screener[] | Page<Screener>>("/screeners");
  screeners.value = Array.isArray(answer) ? answer : answer.items;
  healthy.clear();
}

listen({ screener: () => void loadScreeners().catch(() => undefined) });

const PATIENCE = 15_000;
let asked = 0;

/** Load the list again where healthy scans to show beside a scan may have come meanwhile; not too often. */
export function askForAlike(id: string): void {
  const known = screeners.value.find((one) => one.id === id);
  if (!known || known.has_alike || Date.now() - asked < PATIENCE) return;
  asked = Date.now();
  loadScreeners().catch(() => undefined);
}

/** The healthy scores of a Screener; they are kept. */
export function healthyOf(id: string): Promise<Healthy> {
  let known = healthy.get(id);
  if (!known) {
    known = api<Healthy>(`/screeners/${id}/healthy`);
    known.catch(() => healthy.delete(id));
    healthy.set(id, known);
  }
  return known;
}

/** What a Screener is called. */
export function screenerName(id: string): string {
  return screeners.value.find((one) => one.id === id)?.name ?? id.slice(0, 8);
}
