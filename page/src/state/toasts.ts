/** Short messages, said aloud by screen readers too. */

import { signal } from "@preact/signals";

export interface Toast {
  id: number;
  text: string;
  kind: "done" | "failed";
}

export const toasts = signal<Toast[]>([]);
/** What is only said aloud, politely. */
export const spoken = signal("");

const LASTS = { done: 4000, failed: 12000 };
let last = 0;

/** Show a message for a few seconds. */
export function say(text: string, kind: Toast["kind"] = "done"): void {
  const id = ++last;
  toasts.value = [...toasts.value.slice(-3), { id, text, kind }];
  setTimeout(() => dismiss(id), LASTS[kind]);
}

/** Show what went wrong. */
export function fail(error: unknown): void {
  if ((error as Error | null)?.name === "AbortError") return;
  say(error instanceof Error ? error.message : String(error), "failed");
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}
