/** The findings that are looked through: filtered, in order, page after page, and live. */

import { computed, effect, signal } from "@preact/signals";
import { api } from "../api/client";
import { listen } from "../api/events";
import type { FindingRow, Page } from "../api/types";

/** What can be asked for in the worklist's address. */
export const FILTERS = ["verdict", "review", "screener", "kind", "q", "job", "study", "sort"] as const;
export type Filters = Partial<Record<(typeof FILTERS)[number], string>>;
export const USUAL_ORDER = "p_value";

const PAGE = 50;
const MOST_AT_ONCE = 200;
const PATIENCE = 700;

export const filters = signal<Filters>({});
export const rows = signal<FindingRow[]>([]);
export const total = signal<number | null>(null);
export const loading = signal(false);
export const failure = signal<Error | null>(null);
/** Whether anything was loaded yet. */
export const ready = signal(false);

/** The finding that was looked at last: there the list goes on. */
export const lastOpened = signal<string | null>(null);

const next = signal<string | null>(null);
export const hasMore = computed(() => next.value !== null);

let asked = 0;
let loaded = 0;
let due: ReturnType<typeof setTimeout> | undefined;

/** Read filters from an address. */
export function filtersOf(query: URLSearchParams): Filters {
  const found: Filters = {};
  for (const key of FILTERS) {
    const value = query.get(key);
    if (value) found[key] = value;
  }
  return found;
}

/** Write them as one; empty where there are none. */
export function addressOf(chosen: Filters): string {
  const query = new URLSearchParams();
  for (const key of FILTERS) {
    const value = chosen[key];
    if (value && !(key === "sort" && value === USUAL_ORDER)) query.set(key, value);
  }
  const text = query.toString();
  return text ? `?${text}` : "";
}

/** Look through others. */
export function choose(chosen: Filters): void {
  if (ready.peek() && addressOf(chosen) === addressOf(filters.peek())) return;
  filters.value = chosen;
  void load();
}

/** Load the first page, or as many rows as are shown already. */
export async function load(keep = 0): Promise<void> {
  const mine = ++asked;
  loading.value = true;
  try {
    let page = await ask(null, Math.min(MOST_AT_ONCE, Math.max(PAGE, keep)));
    const found = page.items;
    const known = new Set(found.map((row) => row.id));
    const all = page.total ?? null;
    while (mine === asked && found.length < keep && page.next !== null) {
      page = await ask(page.next, MOST_AT_ONCE);
      for (const row of page.items) if (!known.has(row.id)) known.add(row.id) && found.push(row);
    }
    if (mine !== asked) return;
    loaded = Date.now();
    rows.value = found;
    next.value = page.next;
    total.value = all;
    failure.value = null;
    ready.value = true;
  } catch (error) {
    if (mine === asked) failure.value = error as Error;
  } finally {
    if (mine === asked) loading.value = false;
  }
}

/** Load the next page. */
export async function more(): Promise<void> {
  if (next.value === null || loading.value) return;
  const mine = ++asked;
  loading.value = true;
  try {
    const page = await ask(next.value, PAGE);
    if (mine !== asked) return;
    const known = new Set(rows.value.map((row) => row.id));
    rows.value = [...rows.value, ...page.items.filter((row) => !known.has(row.id))];
    next.value = page.next;
  } catch (error) {
    if (mine === asked) failure.value = error as Error;
  } finally {
    if (mine === asked) loading.value = false;
  }
}

/** Change a row that is shown, such as after a review. */
export function change(id: string, by: Partial<FindingRow>): void {
  rows.value = rows.value.map((row) => (row.id === id ? { ...row, ...by } : row));
}

/** Take a row away. */
export function remove(id: string): void {
  rows.value = rows.value.filter((row) => row.id !== id);
  if (total.value !== null) total.value = Math.max(0, total.value - 1);
}

/** Load again in a moment: many findings arrive together. */
export function refresh(): void {
  const quiet = Date.now() - loaded > 3 * PATIENCE;
  const pages = Math.ceil(rows.peek().length / MOST_AT_ONCE);
  due ??= setTimeout(
    () => {
      due = undefined;
      void load(rows.peek().length);
    },
    quiet ? PATIENCE / 7 : PATIENCE * Math.max(1, pages),
  );
}

function ask(cursor: string | null, limit: number): Promise<Page<FindingRow>> {
  const query = new URLSearchParams(Object.entries(filters.value).filter(([, value]) => value));
  query.set("sort", filters.value.sort ?? USUAL_ORDER);
  query.set("limit", String(limit));
  if (cursor) query.set("cursor", cursor);
  return api<Page<FindingRow>>(`/findings?${query}`);
}

effect(() =>
  listen({
    reset: () => ready.peek() && refresh(),
    screener: () => ready.peek() && refresh(),
    gone: () => ready.peek() && refresh(),
    finding: (row) => {
      if (rows.peek().some((known) => known.id === row.id)) change(row.id, row);
      else if (ready.peek()) refresh();
    },
  }),
);
