/** The user's own names of the files of a job. They never leave this browser. */

import { signal } from "@preact/signals";
import { recalled, remembered } from "./browser";

const JOBS = 200;
const LONGEST = 200;
const known = new Map<string, string[]>();
const changed = signal(0);

/** Remember what the files of a job are called here, in their order. */
export function name(job: string, files: string[]): void {
  const kept = files.map((file) => file.slice(-LONGEST));
  known.set(job, kept);
  remembered(`names.${job}`, JSON.stringify(kept));
  const order = [...jobs().filter((other) => other !== job), job];
  for (const old of order.splice(0, Math.max(0, order.length - JOBS))) forget(old);
  remembered("names", JSON.stringify(order));
  changed.value++;
}

/** Forget the names of a job. */
export function forget(job: string): void {
  known.delete(job);
  remembered(`names.${job}`, null);
}

/** What a finding is called here: the file's own name where this browser sent it, else the server's label. */
export function nameOf(finding: { job: string; index: number; file?: number | null; label: string }): string {
  void changed.value;
  return namesOf(finding.job)[finding.file ?? finding.index] || finding.label;
}

/** What a job's files are called here, in a few words; null where another sent them. */
export function nameOfJob(job: string): string | null {
  void changed.value;
  const [first, ...others] = namesOf(job);
  if (first === undefined) return null;
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

/** Whether this browser sent it. */
export function isOwn(finding: { job: string }): boolean {
  return namesOf(finding.job).length > 0;
}

function namesOf(job: string): string[] {
  const found = known.get(job);
  if (found) return found;
  const read = texts(recalled(`names.${job}`));
  known.set(job, read);
  return read;
}

function jobs(): string[] {
  return texts(recalled("names"));
}

function texts(json: string | null): string[] {
  try {
    const value: unknown = JSON.parse(json ?? "[]");
    return Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === "string") : [];
  } catch {
    return [];
  }
}
