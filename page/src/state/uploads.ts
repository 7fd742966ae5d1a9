/** Files on their way to the server, one request after the other, with their progress. */

import { signal } from "@preact/signals";
import { BASE, headers, toError } from "../api/client";
import type { Job } from "../api/types";
import { say, spoken } from "./toasts";
import { plural, size } from "../words";
import { put } from "./jobs";
import { name } from "./names";
import { about } from "./session";

export interface Upload {
  id: number;
  files: File[];
  bytes: number;
  sent: number;
  state: "waiting" | "sending" | "failed";
  error: string | null;
  /** Whether the same may go well another time. */
  again?: boolean;
}

export const uploads = signal<Upload[]>([]);
/** The Screener that uploads are judged by; null for the default one. */
export const uploadScreener = signal<string | null>(null);

const SLACK = 65536;
const MOST_NAMED = 5;
const NO_SCAN = 415;
let last = 0;
let current: XMLHttpRequest | null = null;

/** Send files, in as many jobs as the server's limits ask for. */
export function send(files: File[]): void {
  const visible = files.filter((file) => !file.name.startsWith("."));
  const wanted = visible.filter((file) => file.size > 0 && mayBeScan(file));
  const others = visible.filter((file) => !wanted.includes(file));
  if (others.length > 0) say(leftOut(others), "failed");
  if (wanted.length === 0) return others.length > 0 ? undefined : say("There is nothing to judge in what was dropped.", "failed");
  const limits = about.value?.limits;
  const groups = inLimits(wanted, limits?.files_per_job ?? 1000, limits?.upload_bytes ?? Number.MAX_SAFE_INTEGER);
  for (const file of groups.tooLarge) {
    say(`${file.name} is larger than the ${size(limits?.upload_bytes ?? 0)} that this server takes.`, "failed");
  }
  uploads.value = [
    ...uploads.value,
    ...groups.jobs.map((group): Upload => {
      return { id: ++last, files: group, bytes: bytes(group), sent: 0, state: "waiting", error: null };
    }),
  ];
  spoken.value = `Sending ${plural(wanted.length, "file")}.`;
  pump();
}

/** Whether a file may be a scan, by its name: files of DICOM often have no suffix, or a number. */
export function mayBeScan(file: { name: string }): boolean {
  const suffix = /\.([^./]*)$/.exec(file.name)?.[1]?.toLowerCase();
  return suffix === undefined || /^(png|jpe?g|bmp|tiff?|webp|nii|gz|dcm|dicom|ima|img|zip|\d*)$/.test(suffix);
}

/** Say which files are not sent. */
export function leftOut(files: { name: string; size: number }[]): string {
  const named = files.slice(0, MOST_NAMED).map((file) => (file.size === 0 ? `${file.name} (empty)` : file.name));
  const more = files.length > MOST_NAMED ? ` and ${files.length - MOST_NAMED} more` : "";
  return `Left out, for ${files.length === 1 ? "it is no scan" : "they are no scans"}: ${named.join(", ")}${more}.`;
}

/** Divide files into jobs that keep the limits. */
export function inLimits(files: File[], most: number, largest: number): { jobs: File[][]; tooLarge: File[] } {
  const jobs: File[][] = [];
  const tooLarge: File[] = [];
  let room = 0;
  for (const file of files) {
    if (file.size + SLACK > largest) {
      tooLarge.push(file);
      continue;
    }
    const open = jobs.at(-1);
    if (!open || open.length >= most || file.size > room) {
      jobs.push([file]);
      room = largest - SLACK - file.size;
    } else {
      open.push(file);
      room -= file.size;
    }
  }
  return { jobs, tooLarge };
}

/** Stop an upload, or take a failed one away. */
export function drop(id: number): void {
  const upload = uploads.value.find((one) => one.id === id);
  uploads.value = uploads.value.filter((one) => one.id !== id);
  if (upload?.state === "sending") current?.abort();
}

/** Try a failed one again. */
export function retry(id: number): void {
  change(id, { state: "waiting", sent: 0, error: null });
  pump();
}

function pump(): void {
  if (current) return;
  const upload = uploads.value.find((one) => one.state === "waiting");
  if (!upload) return;
  change(upload.id, { state: "sending" });
  const request = new XMLHttpRequest();
  current = request;
  request.open("POST", `${BASE}/jobs`);
  for (const [key, value] of Object.entries(headers({ method: "POST" }))) request.setRequestHeader(key, value);
  request.upload.onprogress = (event) => change(upload.id, { sent: Math.min(upload.bytes, event.loaded) });
  request.onload = () => arrived(upload, request);
  request.onerror = () => change(upload.id, { state: "failed", error: "The connection broke. Try again.", again: true });
  request.onloadend = () => {
    current = null;
    pump();
  };
  request.send(form(upload.files));
}

function form(files: File[]): FormData {
  const data = new FormData();
  // Fields come first, so that the server knows them when the files stream in.
  if (uploadScreener.value) data.append("screener", uploadScreener.value);
  files.forEach((file, place) => {
    data.append("files", file, about.value?.keeps_names ? file.name : sentName(file.name, place));
  });
  return data;
}

/** What a file is called on its way: its place and its kind, for its own name may be a patient's. */
export function sentName(called: string, place: number): string {
  const suffix = /(\.nii)?\.[a-z]{2,5}$/i.exec(called)?.[0] ?? "";
  return `${place + 1}${suffix.toLowerCase()}`;
}

function arrived(upload: Upload, request: XMLHttpRequest): void {
  const refused = request.status === NO_SCAN ? refusedPlace(request.responseText) : null;
  if (refused !== null && upload.files.length > 1 && upload.files[refused]) return without(upload, refused);
  if (request.status < 200 || request.status > 299) {
    const again = request.status === 0 || request.status === 429 || request.status >= 500;
    return change(upload.id, { state: "failed", error: toError(request.status, request.responseText).message, again });
  }
  const job = JSON.parse(request.responseText) as Job;
  if (upload.files.every(givesOne)) name(job.id, upload.files.map((file) => file.webkitRelativePath || file.name));
  uploads.value = uploads.value.filter((one) => one.id !== upload.id);
  put(job);
}

/** The place of the one file that the server does not take, where it tells. */
export function refusedPlace(text: string): number | null {
  try {
    const told = (JSON.parse(text) as { file?: unknown }).file;
    return typeof told === "number" ? told : null;
  } catch {
    return null;
  }
}

/** One of the files is no scan: it stops no other, so they are sent again without it. */
function without(upload: Upload, place: number): void {
  const refused = upload.files[place]!;
  say(leftOut([refused]), "failed");
  const files = upload.files.filter((file) => file !== refused);
  change(upload.id, { files, bytes: bytes(files), sent: 0, state: "waiting" });
}

/** Whether a file gives exactly one finding, so that findings can be called by their files' names. */
export function givesOne(file: { name: string }): boolean {
  return /\.(png|jpe?g|bmp|tiff?|webp|nii|nii\.gz)$/i.test(file.name);
}

function change(id: number, by: Partial<Upload>): void {
  uploads.value = uploads.value.map((one) => (one.id === id ? { ...one, ...by } : one));
}

function bytes(files: File[]): number {
  return files.reduce((sum, file) => sum + file.size, 0);
}
