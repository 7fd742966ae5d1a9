/** Who is here, and what they may do. */

import { computed, signal } from "@preact/signals";
import { api, ApiError, csrf, onUnauthorised } from "../api/client";
import { connect, disconnect } from "../api/events";
import type { About, Role, Session, User } from "../api/types";

export const about = signal<About | null>(null);
export const user = signal<User | null>(null);
export const state = signal<"starting" | "in" | "out" | "unreachable">("starting");

const RANKS: Record<Role, number> = { viewer: 0, reader: 1, admin: 2 };

export const mayRead = computed(() => (user.value ? RANKS[user.value.role] >= RANKS.reader : false));
export const mayManage = computed(() => user.value?.role === "admin");

onUnauthorised.value = () => {
  if (state.value === "in") leave();
};

/** Find out who is here; without authentication everybody on this machine is. */
export async function start(): Promise<void> {
  try {
    about.value = await api<About>("/about");
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return leave();
    state.value = "unreachable";
    return;
  }
  const session = await api<Session>("/session").catch(() => null);
  enter(session?.user ?? about.value.auth.user, session?.csrf ?? null);
}

/** Trade a token for a session; throws ApiError. */
export async function signIn(token: string): Promise<void> {
  const session = await api<Session>("/session", { method: "POST", json: { token } });
  about.value = await api<About>("/about");
  enter(session.user, session.csrf ?? null);
}

/** End the session. */
export async function signOut(): Promise<void> {
  await api("/session", { method: "DELETE" }).catch(() => undefined);
  leave();
}

function enter(who: User | null, secret: string | null): void {
  if (!who) return leave();
  user.value = who;
  csrf.value = secret;
  state.value = "in";
  connect();
}

let staying = false;
let unwelcome = false;

/** Show what is open until it is closed, though the server may ask for a sign-in: a new token is shown only once. */
export function stay(): void {
  staying = true;
}

/** Let the page go to the sign-in again, where that was asked for meanwhile. */
export function leaveIfAsked(): void {
  staying = false;
  if (unwelcome) leave();
}

function leave(): void {
  if (staying) {
    unwelcome = true;
    return;
  }
  unwelcome = false;
  disconnect();
  user.value = null;
  csrf.value = null;
  state.value = "out";
}
