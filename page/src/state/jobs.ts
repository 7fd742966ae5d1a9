/** Jobs at work, and those that ended lately. */

import { computed, signal } from "@preact/signals";
import { api } from "../api/client";
import { listen, live } from "../api/events";
import type { Job, Page } from "../api/types";
import { plural } from "../words";
import { forget } from "./names";
import { say, spoken } from "./toasts";
import { refresh } from "./worklist";

const KEPT = 30;
const ENDED = new Set(["done", "failed", "cancelled"]);

export const jobs = signal<Job[]>([]);
export const running = computed(() => jobs.value.filter((job) => !ENDED.has(job.state)));
export const failed = computed(() => jobs.value.filter((job) => job.state === "failed"));

/** Load the last jobs, and hear of changes from now on. */
export function followJobs(): () => void {
  void load();
  const stop = listen({ job: put, gone: takeAway, reset: () => void load() });
  const timer = setInterval(() => {
    if (!live.value && running.value.length > 0) void load(true);
  }, 3000);
  return () => {
    stop();
    clearInterval(timer);
  };
}

/** Take a job's news. */
export function put(job: Job): void {
  const before = jobs.value.find((known) => known.id === job.id);
  jobs.value = before
    ? jobs.value.map((known) => (known.id === job.id ? job : known))
    : [job, ...jobs.value].filter((known, place) => place < KEPT || !ENDED.has(known.state));
  const ended = ENDED.has(job.state) && (before ? !ENDED.has(before.state) : false);
  if (ended) tell(job);
  else if (before && job.done !== before.done) refresh();
}

/** Stop a job that runs, or take away one that has ended with all that came of it. */
export async function removeJob(id: string): Promise<void> {
  await api(`/jobs/${id}`, { method: "DELETE" });
  takeAway(id);
  refresh();
}

/** Have a job that failed judged again. */
export async function judgeAgain(id: string): Promise<void> {
  put(await api<Job>(`/jobs/${id}/retry`, { method: "POST" }));
}

/** A job that is no more has no line, and what its files were called here is forgotten. */
function takeAway(id: string): void {
  forget(id);
  jobs.value = jobs.value.filter((job) => job.id !== id);
}

async function load(again = false): Promise<void> {
  const page = await api<Page<Job>>(`/jobs?limit=${KEPT}`).catch(() => null);
  if (!page) return;
  if (again) page.items.forEach(put);
  else jobs.value = page.items;
}

function tell(job: Job): void {
  refresh();
  if (job.state === "failed") return say(job.error ?? "A job failed.", "failed");
  if (job.state === "cancelled") return;
  const unusual = job.findings.abnormal ?? 0;
  spoken.value = `${plural(job.total ?? job.done, "scan")} judged, ${unusual} unusual.`;
}
