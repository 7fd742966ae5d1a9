/** What this browser remembers, and nobody else: settings, and the user's own file names. */

const PREFIX = "atypia.";

/** Return what was remembered; null where nothing was, or where the browser keeps nothing. */
export function recalled(key: string): string | null {
  try {
    return localStorage.getItem(PREFIX + key);
  } catch {
    return null;
  }
}

/** Remember a text; a browser that keeps nothing is no error. */
export function remembered(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, value);
  } catch {
    // Private windows and full stores forget.
  }
}
