/** Addresses of the page, by the browser's history. */

import { signal } from "@preact/signals";

export const path = signal(location.pathname);
export const query = signal(new URLSearchParams(location.search));

/** Called after the page has gone somewhere else, but not where only the query changed. */
let arrived: () => void = () => undefined;

/** Go to an address of the page. */
export function go(address: string, { replace = false } = {}): void {
  if (address === location.pathname + location.search) return;
  const moved = new URL(address, location.origin).pathname !== location.pathname;
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  update();
  if (moved && !replace) arrived();
}

function update(): void {
  path.value = location.pathname;
  query.value = new URLSearchParams(location.search);
}

/** Follow links within the page without loading it anew. */
export function follow(onArrival: () => void): void {
  arrived = onArrival;
  addEventListener("popstate", update);
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const link = (event.target as Element | null)?.closest?.("a");
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (link.pathname.startsWith("/api/") || link.hash) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}
