/** Something that is fetched when it is first shown, and again when asked. */

import { useCallback, useEffect, useState } from "preact/hooks";

export interface Loaded<T> {
  value: T | null;
  error: Error | null;
  again: () => void;
}

/** Fetch by `get`; again whenever one of `keys` changes. What was there before stays until the new one is there. */
export function useLoaded<T>(get: (signal: AbortSignal) => Promise<T>, keys: readonly unknown[]): Loaded<T> {
  const [value, setValue] = useState<T | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    get(stop.signal)
      .then((found) => {
        if (stop.signal.aborted) return;
        setValue(found);
        setError(null);
      })
      .catch((problem: Error) => {
        if (!stop.signal.aborted) setError(problem);
      });
    return () => stop.abort();
  }, [...keys, round]);
  const again = useCallback(() => setRound((before) => before + 1), []);
  return { value, error, again };
}
