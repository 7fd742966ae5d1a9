/** Charts are drawn at the width they are shown with, so that their letters stay readable. */

import { useEffect, useState } from "preact/hooks";

/** The width in pixels of what `target` holds; `usual` until it is known. */
export function useWidth(target: { current: Element | null }, usual: number): number {
  const [width, setWidth] = useState(usual);
  useEffect(() => {
    if (!target.current) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry && entry.contentRect.width > 0) setWidth(Math.round(entry.contentRect.width));
    });
    observer.observe(target.current);
    return () => observer.disconnect();
  }, []);
  return width;
}
