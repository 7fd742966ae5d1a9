/** Files on their way to the server, one request after the other, with their progress. */

import { effect, signal, untracked } from "@preact/signals";
import { type ApiError, BASE, headers, onUnauthorised, toError } from "../api/client";
import { live } from "../api/events";
import type { Job } from "../api/types";
import { warm } from "../viewer/stage";
import { say, spoken } from "./toasts";
import { plural, size } from "../words";
import { pathOf } from "./dropped";
import { put } from "./jobs";
import { name } from "./names";
import { about, state as session } from "./session";

export interface Upload {
  id: number;
  files: File[];
  bytes: number;
  sent: number;
  /** "held": the server could not take it now, so it is sent again by itself. */
  state: "waiting" | "sending" | "held" | "failed";
  error: string | null;
  /** The server makes one job of it, however often it is sent. */
  key: string;
  tries: number;
  /** Files that the server would not take, for they are no scans. */
  refused: File[];
  /** Whether the same may go well another time. */
  again?: boolean;
}

export const uploads = signal<Upload[]>([]);
/** The Screener that uploads are judged by; null for the default one. */
export const uploadScreener = signal<string | null>(null);

const SLACK = 65536;
const MOST_NAMED = 5;
const NO_SCAN = 415;
const UNKNOWN_USER = 401;
const NO_ROOM = 507;
/** Answers that say nothing of the files, but that the server, or the way to it, cannot take them now. */
const NOT_NOW = new Set([0, 408, 425, 429, 502, 503, 504, NO_ROOM]);
const LONGEST_WAIT = 30;
/** As often may a connection break to a server that answers otherwise. */
const MOST_BREAKS = 3;
/** So many pictures make one job: their findings come together, and the first ones should come soon. */
const PICTURES = 50;
let last = 0;
let current: XMLHttpRequest | null = null;
let due: ReturnType<typeof setTimeout> | undefined;

/** Send files, in as many jobs as the server's limits ask for. */
export function send(files: File[]): void {
  const visible = files.filter((file) => !file.name.startsWith("."));
  const wanted = visible.filter((file) => file.size > 0 && mayBeScan(file));
  const others = visible.filter((file) => !wanted.includes(file));
  if (others.length > 0) say(leftOut(others), "failed");
  if (wanted.length === 0) return others.length > 0 ? undefined : say("There is nothing to judge in what was dropped.", "failed");
  const limits = about.value?.limits;
  const [most, largest] = [limits?.files_per_job ?? 1000, limits?.upload_bytes ?? Number.MAX_SAFE_INTEGER];
  const alone = inLimits(wanted.filter(givesOne), Math.min(most, PICTURES), largest);
  const together = inLimits(wanted.filter((file) => !givesOne(file)), most, largest);
  for (const file of [...alone.tooLarge, ...together.tooLarge]) {
    say(`${file.name} is larger than the ${size(largest)} that this server takes.`, "failed");
  }
  uploads.value = [...uploads.value, ...[...alone.jobs, ...together.jobs].map(upload)];
  spoken.value = `Sending ${plural(wanted.length, "file")}.`;
  pump();
  if (together.jobs.length > 0) warm(); // what shows volumes is made ready while they are judged
}

function upload(files: File[]): Upload {
  return { id: ++last, files, bytes: bytes(files), sent: 0, state: "waiting", error: null, key: newKey(), tries: 0, refused: [] };
}

function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
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
  else pump();
}

/** Stop all that are not sent yet. */
export function dropAll(): void {
  for (const upload of uploads.value) if (upload.state !== "failed") drop(upload.id);
}

/** Try a failed one again. */
export function retry(id: number): void {
  resume();
  change(id, { state: "waiting", sent: 0, error: null, tries: 0 });
  pump();
}

/** Send what was held back. */
function resume(): void {
  clearTimeout(due);
  for (const held of uploads.peek()) if (held.state === "held") change(held.id, { state: "waiting", sent: 0, error: null });
  pump();
}

effect(() => {
  if (session.value === "in") untracked(resume);
});

addEventListener("beforeunload", (event) => {
  if (uploads.peek().some((upload) => upload.state !== "failed")) event.preventDefault();
});

function pump(): void {
  // What one is held back for holds for those after it.
  if (current || uploads.value.some((one) => one.state === "held")) return;
  const upload = uploads.value.find((one) => one.state === "waiting");
  if (!upload) return;
  change(upload.id, { state: "sending" });
  const request = new XMLHttpRequest();
  current = request;
  request.open("POST", `${BASE}/jobs`);
  const sent = { ...headers({ method: "POST" }), "Idempotency-Key": upload.key };
  for (const [key, value] of Object.entries(sent)) request.setRequestHeader(key, value);
  request.upload.onprogress = (event) => change(upload.id, { sent: Math.min(upload.bytes, event.loaded) });
  request.onload = () => arrived(upload, request);
  request.onerror = () => hold(upload, toError(0, ""));
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
  if (refused !== null && upload.files.length + upload.refused.length > 1 && upload.files[refused]) return without(upload, refused);
  if (request.status < 200 || request.status > 299) {
    const error = toError(request.status, request.responseText, request.getResponseHeader("Retry-After"));
    if (NOT_NOW.has(request.status)) return hold(upload, error);
    if (request.status === UNKNOWN_USER) {
      change(upload.id, { state: "held", error: "It is sent when you have signed in again." });
      return onUnauthorised.value();
    }
    return change(upload.id, { state: "failed", error: error.message, again: request.status >= 500 });
  }
  if (upload.refused.length > 0) say(leftOut(upload.refused), "failed");
  const job = JSON.parse(request.responseText) as Job;
  if (upload.files.every(givesOne)) name(job.id, upload.files.map(pathOf));
  uploads.value = uploads.value.filter((one) => one.id !== upload.id);
  put(job);
}

/** Keep an upload that the server cannot take now, and send it again by itself. */
function hold(upload: Upload, error: ApiError): void {
  if (error.status === 0 && live.peek() && upload.tries >= MOST_BREAKS) {
    return change(upload.id, { state: "failed", error: "The connection breaks each time that this is sent.", again: true });
  }
  const seconds = waitFor(error, upload.tries);
  const why = {
    0: "The server does not answer",
    429: "The server asks for a little patience",
    [NO_ROOM]: "The server has no room left on its disk",
  }[error.status] ?? "The server is busy";
  const told = `${why}. It is sent again in ${plural(seconds, "second")}, as long as this page is open.`;
  change(upload.id, { state: "held", sent: 0, tries: upload.tries + 1, error: told });
  clearTimeout(due);
  due = setTimeout(resume, 1000 * seconds);
}

/** How many seconds to wait: as the server says, else longer each time. */
export function waitFor(error: { status: number; after: number | null }, tries: number): number {
  const usual = error.status === NO_ROOM ? LONGEST_WAIT : 2 ** (tries + 1);
  return Math.min(LONGEST_WAIT, Math.max(1, error.after ?? usual));
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
  const refused = [...upload.refused, upload.files[place]!];
  const files = upload.files.filter((_, other) => other !== place);
  if (files.length > 0) {
    return change(upload.id, { files, refused, bytes: bytes(files), sent: 0, state: "waiting", key: newKey() });
  }
  say(leftOut(refused), "failed");
  uploads.value = uploads.value.filter((one) => one.id !== upload.id);
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
