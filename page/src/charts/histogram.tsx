/** Healthy scores as a histogram, with the threshold that can be moved, and the score of a finding. */

import { useRef } from "preact/hooks";
import type { Healthy } from "../api/types";
import { figure } from "../words";
import { bins, straight, ticks } from "./scale";
import { useWidth } from "./width";

interface Props {
  healthy: Healthy;
  score?: number | null | undefined;
  unusual?: boolean;
  /** The threshold as it is; drawn where `moved` is not given. */
  threshold: number;
  /** Where the threshold was moved to, to look at what that would do. */
  moved?: number | null;
  onMove?: ((value: number | null) => void) | undefined;
}

const USUAL = 360;
const HEIGHT = 150;
const BASE = 118;
const TOP = 22;
const SIDE = 10;
const BINS = 36;

export function Histogram({ healthy, score, unusual, threshold, moved, onMove }: Props) {
  const drawing = useRef<SVGSVGElement>(null);
  const width = useWidth(drawing, USUAL);
  const [low, high] = limits(healthy, score, threshold);
  const x = straight(low, high, SIDE, width - SIDE);
  const counts = bins(healthy.scores, low, high, BINS);
  const tallest = Math.max(1, ...counts);
  const wide = (width - 2 * SIDE) / BINS;
  const at = moved ?? threshold;

  const place = (event: PointerEvent) => {
    const matrix = drawing.current?.getScreenCTM();
    if (!matrix || !onMove) return;
    const value = x.from((event.clientX - matrix.e) / matrix.a);
    onMove(Math.min(high, Math.max(low, value)));
  };
  const step = (high - low) / 200;
  const key = (event: KeyboardEvent) => {
    const by: Record<string, number> = {
      ArrowRight: step,
      ArrowUp: step,
      ArrowLeft: -step,
      ArrowDown: -step,
      PageUp: 10 * step,
      PageDown: -10 * step,
    };
    if (event.key === "Escape") onMove?.(null);
    else if (event.key === "Home") onMove?.(low);
    else if (event.key === "End") onMove?.(high);
    else if (by[event.key] !== undefined) onMove?.(Math.min(high, Math.max(low, at + by[event.key]!)));
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <svg ref={drawing} class="chart histogram" height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} role="group" aria-label={told(healthy, score, threshold)}>
      <rect class="chart-flagged" x={x.to(at)} y={TOP} width={Math.max(0, width - SIDE - x.to(at))} height={BASE - TOP} />
      {counts.map((count, bin) => {
        const tall = (count / tallest) * (BASE - TOP - 8);
        return (
          count > 0 && (
            <rect
              key={bin}
              class="chart-bar"
              x={SIDE + bin * wide + 0.5}
              y={BASE - tall}
              width={wide - 1}
              height={tall}
              rx={1}
            />
          )
        );
      })}
      <line class="chart-axis" x1={SIDE} x2={width - SIDE} y1={BASE} y2={BASE} />
      {ticks(low, high, 5).map((value) => (
        <text key={value} class="chart-tick" x={x.to(value)} y={BASE + 14} text-anchor="middle">
          {figure(value, 3)}
        </text>
      ))}
      <text class="chart-tick" x={width - SIDE} y={HEIGHT - 2} text-anchor="end">
        score
      </text>
      {moved !== null && moved !== undefined && (
        <line class="chart-before" x1={x.to(threshold)} x2={x.to(threshold)} y1={TOP} y2={BASE} />
      )}
      <g
        class={onMove ? "chart-threshold movable" : "chart-threshold"}
        {...(onMove
          ? {
              role: "slider",
              tabindex: 0,
              "aria-label": "Threshold to look at",
              "aria-valuemin": low,
              "aria-valuemax": high,
              "aria-valuenow": at,
              "aria-valuetext": figure(at),
              onKeyDown: key,
              onPointerDown: (event: PointerEvent) => (event.currentTarget as Element).setPointerCapture(event.pointerId),
              onPointerMove: (event: PointerEvent) => {
                if (event.buttons & 1) place(event);
              },
            }
          : {})}
      >
        <rect class="chart-grip" x={x.to(at) - 14} y={4} width={28} height={BASE} />
        <line x1={x.to(at)} x2={x.to(at)} y1={TOP - 6} y2={BASE} />
        <text x={x.to(at)} y={11} text-anchor={anchor(x.to(at), width)}>
          threshold {figure(at)}
        </text>
      </g>
      {score !== null && score !== undefined && (
        <g class={unusual ? "chart-score unusual" : "chart-score"}>
          <line x1={x.to(score)} x2={x.to(score)} y1={TOP + 16} y2={BASE} />
          <path d={`M ${x.to(score)} ${BASE} l -6 10 h 12 z`} />
          <text x={x.to(score)} y={TOP + 12} text-anchor={anchor(x.to(score), width)}>
            this one {figure(score)}
          </text>
        </g>
      )}
    </svg>
  );
}

function limits(healthy: Healthy, score: number | null | undefined, threshold: number): [number, number] {
  const values = [...healthy.scores.slice(0, 1), ...healthy.scores.slice(-1), threshold];
  if (score !== null && score !== undefined) values.push(score);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const margin = 0.06 * (high - low || 1);
  return [low - margin, high + margin];
}

function anchor(place: number, width: number): "start" | "middle" | "end" {
  return place < 60 ? "start" : place > width - 60 ? "end" : "middle";
}

function told(healthy: Healthy, score: number | null | undefined, threshold: number): string {
  const [least, most] = [healthy.scores[0], healthy.scores.at(-1)];
  const own = score === null || score === undefined ? "" : ` This one has ${figure(score)}.`;
  return `Scores of ${healthy.count} healthy scans, from ${figure(least)} to ${figure(most)}. The threshold is ${figure(threshold)}.${own}`;
}
