/** How the viewer shows a finding. */

import type { ComponentChildren } from "preact";
import { MAPS } from "../colour/maps";
import { Icon, type IconName } from "../parts/icon";
import type { Region } from "../api/types";
import { figure, oneIn, pValue } from "../words";
import { RARITIES, USUAL_RARITY } from "./compose";
import { viewer } from "./handle";
import { colourMap, greyWindow, heatFrom, opacity, outlines, rarity, regionsTo, shown, tool, WINDOW } from "./look";
import type { Planes } from "./volume";

interface Props {
  volume: boolean;
  /** Whether it is known how rare each pixel is. */
  rare: boolean;
  scale: [number, number] | null;
  regions: Region[];
  planes: Planes;
  onPlanes: (planes: Planes) => void;
}

const STEPS = 200;
const LOGS = RARITIES.map(Math.log) as [number, number];

export function Toolbar({ volume, rare, scale, regions, planes, onPlanes }: Props) {
  return (
    <div class="toolbar" role="toolbar" aria-label="View">
      <div class="tool-group">
        <Switch icon="heat" word="Heat map (o)" on={shown.value} onClick={() => (shown.value = !shown.value)} />
        <Switch icon="outline" word="Outlines (r)" on={outlines.value} onClick={() => (outlines.value = !outlines.value)} />
      </div>
      <label class="tool-slider">
        <span>Opacity</span>
        <input
          type="range"
          min={0}
          max={1}
          step={0.05}
          value={opacity.value}
          aria-valuetext={`${Math.round(100 * opacity.value)} percent`}
          onInput={(event) => (opacity.value = Number(event.currentTarget.value))}
        />
      </label>
      {rare ? <Rarity /> : scale && <HeatFrom scale={scale} />}
      <label class="tool-choice">
        <span class="unseen">Colours</span>
        <select
          aria-label="Colours of heat"
          value={colourMap.value}
          onChange={(event) => (colourMap.value = event.currentTarget.value as (typeof MAPS)[number])}
        >
          {MAPS.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {volume && regions.length > 1 && <RegionsTo regions={regions} />}
      {volume ? (
        <label class="tool-choice">
          <select aria-label="Planes" value={planes} onChange={(event) => onPlanes(event.currentTarget.value as Planes)}>
            <option value="all">Three planes</option>
            <option value="axial">Axial</option>
            <option value="coronal">Coronal</option>
            <option value="sagittal">Sagittal</option>
          </select>
        </label>
      ) : (
        <div class="tool-group">
          <Switch icon="move" word="Drag moves the picture" on={tool.value === "move"} onClick={() => (tool.value = "move")} />
          <Switch
            icon="contrast"
            word="Drag changes contrast and brightness (or Shift and drag)"
            on={tool.value === "window"}
            onClick={() => (tool.value = "window")}
          />
          {greyWindow.value !== WINDOW && (
            <button type="button" class="button small" onClick={() => (greyWindow.value = WINDOW)}>
              Reset contrast
            </button>
          )}
        </div>
      )}
    </div>
  );
}

/** Over a corner of the picture, so that the toolbar keeps to one line. */
export function Zoom() {
  return (
    <div class="zoom" role="group" aria-label="Zoom">
      <Press icon="minus" word="Smaller (−)" onClick={() => viewer.value?.zoom(1 / 1.4)} />
      <Press icon="plus" word="Larger (+)" onClick={() => viewer.value?.zoom(1.4)} />
      <Press icon="whole" word="Whole picture (0)" onClick={() => viewer.value?.whole()} />
    </div>
  );
}

function Rarity() {
  const place = ((Math.log(rarity.value) - LOGS[0]) / (LOGS[1] - LOGS[0])) * STEPS;
  const words = `${oneIn(rarity.value)} healthy pixels, or rarer`;
  return (
    <Slider
      word="Show"
      told={words}
      shown={`${oneIn(rarity.value)} or rarer`}
      note={rarity.value === USUAL_RARITY ? `p ≤ ${USUAL_RARITY}` : `p ≤ ${figure(rarity.value, 2)}`}
      value={place}
      onInput={(value) => (rarity.value = snapped(Math.exp(LOGS[0] + (value / STEPS) * (LOGS[1] - LOGS[0]))))}
    />
  );
}

/** Which regions are shown: those that are at most as likely as one of them, by its p-value. */
function RegionsTo({ regions }: { regions: Region[] }) {
  const limits = [...new Set(regions.flatMap((region) => (region.p_value === null ? [] : [region.p_value])))].sort((a, b) => a - b);
  if (limits.length < 2) return null;
  const last = limits.length - 1;
  const place = Math.max(0, limits.findLastIndex((limit) => limit <= regionsTo.value));
  const words = `regions with p up to ${pValue(limits[place])}`;
  return (
    <label class="tool-slider">
      <span>
        Regions <b>p ≤ {pValue(limits[place])}</b>
      </span>
      <input
        type="range"
        min={0}
        max={last}
        step={1}
        value={place}
        aria-valuetext={words}
        onInput={(event) => {
          const chosen = Number(event.currentTarget.value);
          regionsTo.value = chosen === last ? 1 : limits[chosen]!;
        }}
      />
    </label>
  );
}

/** Stay at the usual rarity where the slider comes near it. */
function snapped(value: number): number {
  return Math.abs(Math.log(value / USUAL_RARITY)) < 0.05 ? USUAL_RARITY : Number(value.toPrecision(2));
}

function HeatFrom({ scale }: { scale: [number, number] }) {
  const [clear, full] = scale;
  const median = 2 * clear - full;
  const now = heatFrom.value ?? clear;
  const value = ((now - median) / (full - median || 1)) * STEPS;
  return (
    <Slider
      word="Heat"
      told={`heat above ${figure(now, 3)}`}
      shown={`above ${figure(now, 3)}`}
      note={heatFrom.value === null ? "healthy 99.5 %" : ""}
      value={value}
      onInput={(place) => {
        const next = median + (place / STEPS) * (full - median);
        heatFrom.value = Math.abs(place - STEPS / 2) < 3 ? null : next;
      }}
    />
  );
}

interface SliderProps {
  word: string;
  told: string;
  shown: string;
  note: string;
  value: number;
  onInput: (value: number) => void;
}

function Slider({ word, told, shown, note, value, onInput }: SliderProps) {
  return (
    <label class="tool-slider wide">
      <span>
        {word} <b>{shown}</b> {note && <small>{note}</small>}
      </span>
      <input
        type="range"
        min={0}
        max={STEPS}
        step={1}
        value={value}
        aria-valuetext={told}
        onInput={(event) => onInput(Number(event.currentTarget.value))}
      />
    </label>
  );
}

interface ButtonProps {
  icon: IconName;
  word: string;
  onClick: () => void;
  children?: ComponentChildren;
}

function Switch({ icon, word, on, onClick }: ButtonProps & { on: boolean }) {
  return (
    <button type="button" class="icon-button" aria-pressed={on} aria-label={word} title={word} onClick={onClick}>
      <Icon name={icon} />
    </button>
  );
}

function Press({ icon, word, onClick }: ButtonProps) {
  return (
    <button type="button" class="icon-button" aria-label={word} title={word} onClick={onClick}>
      <Icon name={icon} />
    </button>
  );
}
