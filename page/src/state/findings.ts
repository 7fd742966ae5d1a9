/** Findings as they are opened: the last ones are kept, the next ones fetched ahead. */

import { api } from "../api/client";
import { listen } from "../api/events";
import type { Feedback, Finding, FindingRow, Label, Page, Review } from "../api/types";
import { rehearse } from "../viewer/layers";
import { picture } from "../viewer/loading";
import { warm } from "../viewer/stage";
import { isOwn } from "./names";
import { say } from "./toasts";
import { change, rows } from "./worklist";
import { REVIEWS } from "../words";

const KEPT = 40;
const known = new Map<string, Promise<Finding>>();

/** Return a finding that is opened; throws ApiError. The server is always asked, for it writes down who opened what. */
export function finding(id: string): Promise<Finding> {
  return keep(id, api<Finding>(`/findings/${id}`));
}

/** Fetch a finding and its pictures before it is asked for. */
export function ahead(id: string | null): void {
  if (!id) return;
  (known.get(id) ?? keep(id, api<Finding>(`/findings/${id}?prefetch=1`)))
    .then(async (found) => {
      if (found.files.length === 0) return;
      await (found.kind === "picture" ? picture(found, true) : rehearse(found));
    })
    .catch(() => undefined);
}

function keep(id: string, asked: Promise<Finding>): Promise<Finding> {
  known.delete(id);
  known.set(id, asked);
  asked.catch(() => known.get(id) === asked && known.delete(id));
  for (const old of known.keys()) {
    if (known.size <= KEPT) break;
    known.delete(old);
  }
  return asked;
}

/** Forget what is known of a finding, or of all. */
export function forget(id?: string): void {
  if (id === undefined) known.clear();
  else known.delete(id);
}

listen({
  finding: (row) => {
    const isNew = !known.has(row.id);
    forget(row.id);
    if (row.kind === "volume" && isNew && isOwn(row)) arrived(row);
  },
  reset: () => forget(),
  gone: () => forget(),
  screener: () => forget(),
});

/** A volume that was sent from here will be looked at: what takes time is done while it is not. */
function arrived(row: FindingRow): void {
  if (row.thumbnail === null) return;
  warm();
  ahead(row.id);
}

/** The findings before and after one, in the order of the worklist, or of its job where it is not in it. */
export function neighbours(id: string, opened: Finding | null): { previous: string | null; next: string | null; place: number | null } {
  const place = rows.value.findIndex((row) => row.id === id);
  if (place < 0) return { previous: opened?.previous ?? null, next: opened?.next ?? null, place: null };
  return {
    previous: rows.value[place - 1]?.id ?? null,
    next: rows.value[place + 1]?.id ?? null,
    place,
  };
}

/** Say what a reader thinks of the finding; the same again takes it back. Returns what holds now. */
export async function review(opened: Finding, state: Review): Promise<Review> {
  const now = opened.review === state ? "none" : state;
  await api(`/findings/${opened.id}/review`, { method: "PUT", json: { state: now } });
  known.set(opened.id, Promise.resolve({ ...opened, review: now }));
  change(opened.id, { review: now });
  say(REVIEWS[now]);
  return now;
}

/** Say what the scan really is, instead of what the same reader said before; returns the finding as it is now. */
export async function label(opened: Finding, what: Label, note = ""): Promise<Finding> {
  await api(`/findings/${opened.id}/feedback`, { method: "POST", json: { label: what, note } });
  say(what === "unsure" ? "Noted" : `Noted: really ${what}`);
  return anew(opened.id);
}

/** Take back what was said; returns the finding as it is now. */
export async function takeBack(opened: Finding, feedback: string): Promise<Finding> {
  await api(`/feedback/${feedback}`, { method: "DELETE" });
  say("Taken back");
  return anew(opened.id);
}

async function anew(id: string): Promise<Finding> {
  forget(id);
  const now = await finding(id);
  change(id, { feedback: now.feedback });
  return now;
}

/** What was said of it so far. */
export async function feedbackOf(id: string, signal?: AbortSignal): Promise<Feedback[]> {
  const answer = await api<Feedback[] | Page<Feedback>>(`/findings/${id}/feedback`, signal ? { signal } : {});
  return Array.isArray(answer) ? answer : answer.items;
}
