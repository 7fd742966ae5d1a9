/** The keyboard: one table that both works and explains itself. */

export interface Key {
  /** As KeyboardEvent.key says them. */
  keys: string[];
  does: string;
  act: () => void;
}

let tables: Key[][] = [];

/** Make keys work until the returned function is called; those made last come first. */
export function bind(table: Key[]): () => void {
  tables = [table, ...tables];
  return () => {
    tables = tables.filter((other) => other !== table);
  };
}

/** All keys that work now. */
export function bound(): Key[] {
  const seen = new Set<string>();
  return tables.flat().filter((key) => {
    if (key.keys.every((one) => seen.has(one))) return false;
    key.keys.forEach((one) => seen.add(one));
    return true;
  });
}

/** Whether a key typed here is meant for a field, a list or a slider rather than for the page. */
export function isField(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.closest("dialog")) return true;
  if (target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  const presses = key === " " || key === "Enter";
  const moves = presses || key.startsWith("Arrow") || key === "Home" || key === "End";
  if (target instanceof HTMLInputElement) {
    return !["checkbox", "radio", "range", "button", "file"].includes(target.type) || moves;
  }
  if (presses) return target.closest("button, a, summary") !== null;
  return moves && target.closest("[role=slider]") !== null;
}

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (isField(event.target, event.key) || document.querySelector("dialog")) return;
  const found = tables.flat().find((key) => key.keys.includes(event.key));
  if (!found) return;
  event.preventDefault();
  found.act();
});
