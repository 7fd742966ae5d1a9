/** P-values in the order of time, and how the bet against the calibration's promise goes. */

import { useRef } from "preact/hooks";
import type { DriftStream } from "../api/types";
import { figure } from "../words";
import { straight, ticks } from "./scale";
import { useWidth } from "./width";

const USUAL = 720;
const SIDE = 40;
const EDGE = 10;
const POINTS = { height: 204, top: 10, base: 164 };
const BET = { height: 130, top: 14, base: 106 };

/** Each finding's p-value: healthy scans that are as calibration promised fill the height evenly. */
export function PValues({ stream }: { stream: DriftStream }) {
  const drawing = useRef<SVGSVGElement>(null);
  const width = useWidth(drawing, USUAL);
  const count = stream.p_values.length;
  const x = straight(0, Math.max(1, count - 1), SIDE, width - EDGE);
  const y = straight(0, 1, POINTS.base, POINTS.top);
  const alarms = places(stream);
  const low = stream.p_values.filter((p) => p <= 0.05).length;
  return (
    <svg
      ref={drawing}
      class="chart drift"
      height={POINTS.height}
      viewBox={`0 0 ${width} ${POINTS.height}`}
      role="img"
      aria-label={`${count} p-values in the order of time; ${low} of them are 0.05 or lower.`}
    >
      {[0, 0.25, 0.5, 0.75, 1].map((p) => (
        <g key={p}>
          <line class="chart-grid" x1={SIDE} x2={width - EDGE} y1={y.to(p)} y2={y.to(p)} />
          <text class="chart-tick" x={SIDE - 6} y={y.to(p) + 4} text-anchor="end">
            {p}
          </text>
        </g>
      ))}
      {alarms.map((place) => (
        <line key={place} class="drift-alarm" x1={x.to(place)} x2={x.to(place)} y1={POINTS.top} y2={POINTS.base} />
      ))}
      {stream.p_values.map((p, place) => (
        <circle key={place} class={p <= 0.05 ? "drift-point low" : "drift-point"} cx={x.to(place)} cy={y.to(p)} r={count > 600 ? 1.4 : 2.4} />
      ))}
      <Times stream={stream} x={x.to} y={POINTS.base + 16} />
      <text class="chart-tick" x={SIDE} y={POINTS.height - 2}>
        p-value of each finding, oldest to newest
      </text>
    </svg>
  );
}

/** The bet's capital, as a power of ten: where it crosses the line, chance does not explain the p-values. */
export function Capital({ stream }: { stream: DriftStream }) {
  const drawing = useRef<SVGSVGElement>(null);
  const width = useWidth(drawing, USUAL);
  const values = stream.log10_capital;
  const known = values.filter((one): one is number => one !== null);
  const x = straight(0, Math.max(1, values.length - 1), SIDE, width - EDGE);
  const top = Math.max(stream.alarm_at * 1.15, ...known);
  const bottom = Math.min(-0.5, ...known);
  const y = straight(bottom, top, BET.base, BET.top);
  const steps = values.map((value, place) => (value === null ? null : `${x.to(place)},${y.to(value)}`)).filter(Boolean);
  return (
    <svg
      ref={drawing}
      class="chart drift"
      height={BET.height}
      viewBox={`0 0 ${width} ${BET.height}`}
      role="img"
      aria-label={`Evidence of a change: highest ${figure(Math.max(0, ...known), 2)}, alarm at ${figure(stream.alarm_at, 2)} (powers of ten).`}
    >
      {ticks(bottom, top, 4).map((value) => (
        <g key={value}>
          <line class="chart-grid" x1={SIDE} x2={width - EDGE} y1={y.to(value)} y2={y.to(value)} />
          <text class="chart-tick" x={SIDE - 6} y={y.to(value) + 4} text-anchor="end">
            {figure(value, 2)}
          </text>
        </g>
      ))}
      <line class="drift-bound" x1={SIDE} x2={width - EDGE} y1={y.to(stream.alarm_at)} y2={y.to(stream.alarm_at)} />
      <text class="drift-word" x={width - EDGE} y={y.to(stream.alarm_at) - 5} text-anchor="end">
        alarm
      </text>
      <polyline class="drift-line" points={steps.join(" ")} />
      <text class="chart-tick" x={SIDE} y={BET.height - 4}>
        evidence of a change, as a power of ten
      </text>
    </svg>
  );
}

function Times({ stream, x, y }: { stream: DriftStream; x: (place: number) => number; y: number }) {
  const last = stream.times.length - 1;
  if (last < 0) return null;
  const day = (time: string | undefined) =>
    time ? new Date(time).toLocaleDateString("en-GB", { day: "numeric", month: "short" }) : "";
  return (
    <>
      <text class="chart-tick" x={x(0)} y={y}>
        {day(stream.times[0])}
      </text>
      {last > 0 && (
        <text class="chart-tick" x={x(last)} y={y} text-anchor="end">
          {day(stream.times[last])}
        </text>
      )}
    </>
  );
}

function places(stream: DriftStream): number[] {
  return stream.alarms.map((alarm) => stream.findings.indexOf(alarm.at)).filter((place) => place >= 0);
}

/** The same as a table, for who reads rather than looks. */
export function windowsTable(stream: DriftStream): string[][] {
  return stream.windows.map((one) => [
    `${one.scans}`,
    `${one.low}`,
    `${figure(one.expected, 3)} (${one.fewest} to ${one.most})`,
    one.alarm ? "outside" : "as promised",
  ]);
}

