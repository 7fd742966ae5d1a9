/** The scores of a volume's slices, one after the other; a click goes to the slice. */

import type { SliceFinding } from "../api/types";
import { figure, pValue } from "../words";
import { straight } from "./scale";

interface Props {
  slices: SliceFinding[];
  threshold: number | null;
  current: number | null;
  onGo: (index: number) => void;
}

const WIDTH = 800;
const HEIGHT = 84;
const TOP = 8;
const BASE = 72;

export function Strip({ slices, threshold, current, onGo }: Props) {
  const judged = slices.filter((slice) => slice.score !== null);
  const others = slices.filter((slice) => slice.score === null);
  const first = slices[0]?.index ?? 0;
  const last = slices.at(-1)?.index ?? 1;
  const scores = [...judged.map((slice) => slice.score as number), ...(threshold === null ? [] : [threshold])];
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  const y = straight(low - 0.1 * (high - low || 1), high, BASE, TOP);
  const x = straight(first - 0.5, last + 0.5, 0, WIDTH);
  const wide = WIDTH / Math.max(1, last - first + 1);
  const here = slices.find((slice) => slice.index === current);

  const go = (event: MouseEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    onGo(clamp(Math.round(x.from(((event.clientX - box.left) / box.width) * WIDTH)), first, last));
  };
  const key = (event: KeyboardEvent) => {
    const now = current ?? first;
    const to: Record<string, number> = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: first, End: last, PageUp: now + 10, PageDown: now - 10 };
    if (to[event.key] === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    onGo(clamp(to[event.key]!, first, last));
  };

  return (
    <div class="strip">
      <svg
        class="chart"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="slider"
        tabindex={0}
        aria-label="Slice"
        aria-valuemin={first}
        aria-valuemax={last}
        aria-valuenow={clamp(current ?? first, first, last)}
        aria-valuetext={here ? told(here) : `slice ${current ?? first}`}
        onClick={go}
        onKeyDown={key}
      >
        {others.map((slice) => (
          <rect key={slice.index} class="strip-not" x={x.to(slice.index - 0.5)} width={wide} y={BASE - 3} height={3} />
        ))}
        {judged.map((slice) => (
          <rect
            key={slice.index}
            class={slice.flagged ? "strip-bar unusual" : "strip-bar"}
            x={x.to(slice.index - 0.5) + wide * 0.08}
            width={wide * 0.84}
            y={y.to(slice.score as number)}
            height={Math.max(1, BASE - y.to(slice.score as number))}
          />
        ))}
        {threshold !== null && <line class="strip-threshold" x1={0} x2={WIDTH} y1={y.to(threshold)} y2={y.to(threshold)} />}
        {current !== null && current >= first && current <= last && (
          <rect class="strip-current" x={x.to(current - 0.5)} width={wide} y={0} height={HEIGHT} />
        )}
      </svg>
      <p class="strip-words">{here ? told(here) : `Slices ${first} to ${last}; bars that cross the line are unusual${others.length > 0 ? ", those without a bar were not judged" : ""}`}</p>
    </div>
  );
}

function told(slice: SliceFinding): string {
  if (slice.score === null) return `slice ${slice.index}: not judged`;
  const verdict = slice.flagged ? ", above the threshold" : "";
  return `slice ${slice.index}: score ${figure(slice.score)}, p ${pValue(slice.p_value)}${verdict}`;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
