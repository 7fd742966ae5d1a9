/** Calls of the API: JSON in, JSON out, and problems as errors that say what to do. */

import { signal } from "@preact/signals";
import type { Problem } from "./types";

export const BASE = "/api/v1";

/** Sent with every unsafe call of a cookie session. */
export const csrf = signal<string | null>(null);

/** Called where the server wants a token first. */
export const onUnauthorised = signal<() => void>(() => undefined);

/** What the server, or the way to it, said no with. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    /** After how many seconds the server wants to be asked again, where it says so. */
    readonly after: number | null = null,
  ) {
    super(detail ? `${title}: ${detail}` : title);
  }
}

interface Call {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  json?: unknown;
  body?: FormData;
  signal?: AbortSignal;
}

/** Call the API; throws ApiError. */
export async function api<T>(path: string, call: Call = {}): Promise<T> {
  const answer = await answered(path, call);
  if (answer.status === 204) return undefined as T;
  const text = await answer.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

async function answered(path: string, call: Call): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(BASE + path, {
      method: call.method ?? "GET",
      headers: headers(call),
      body: call.json === undefined ? (call.body ?? null) : JSON.stringify(call.json),
      signal: call.signal ?? null,
      credentials: "same-origin",
    });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new ApiError(0, "The server cannot be reached", "Is it still running? It is tried again as you go on.");
  }
  if (answer.ok) return answer;
  if (answer.status === 401) onUnauthorised.value();
  throw await problemOf(answer);
}

/** Headers that tell the server that a call comes from its own page. */
export function headers(call: { method?: string; json?: unknown } = {}): Record<string, string> {
  const sent: Record<string, string> = { Accept: "application/json" };
  if (call.json !== undefined) sent["Content-Type"] = "application/json";
  if (call.method && call.method !== "GET") {
    sent["X-Atypia"] = "1";
    if (csrf.value) sent["X-CSRF-Token"] = csrf.value;
  }
  return sent;
}

async function problemOf(answer: Response): Promise<ApiError> {
  return toError(answer.status, await answer.text().catch(() => ""), answer.headers.get("Retry-After"));
}

/** Read a problem (RFC 9457); an answer of another kind is told by its status. */
export function toError(status: number, text: string, retryAfter: string | null = null): ApiError {
  const after = /^\d+$/.test(retryAfter ?? "") ? Number(retryAfter) : null;
  try {
    const problem = JSON.parse(text) as Partial<Problem>;
    if (typeof problem.title === "string") {
      return new ApiError(status, problem.title, typeof problem.detail === "string" ? problem.detail : "", after);
    }
  } catch {
    // Not JSON: a proxy answered.
  }
  return new ApiError(status, `The server answered ${status}`, "", after);
}

/** Read raw float32 values, packed by gzip or not; throws ApiError. */
export async function floats(url: string, signal?: AbortSignal): Promise<Float32Array> {
  return new Float32Array(await unpacked(await bytes(url, signal)));
}

/** Fetch a file as it is; throws ApiError. */
export async function bytes(url: string, signal?: AbortSignal): Promise<ArrayBuffer> {
  const answer = await fetch(url, { signal: signal ?? null, credentials: "same-origin" });
  if (!answer.ok) throw await problemOf(answer);
  return answer.arrayBuffer();
}

/** Unpack gzip, told by its first bytes: browsers have done it already where the server declares it. */
export async function unpacked(buffer: ArrayBuffer): Promise<ArrayBuffer> {
  const [first, second] = new Uint8Array(buffer, 0, Math.min(2, buffer.byteLength));
  if (first !== 0x1f || second !== 0x8b) return buffer;
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
