/** Figures and verdicts in plain words. */

import type { Finding, FindingRow, Healthy, JobState, Review, Verdict } from "./api/types";

export const NOTICE = "Research use only. Not a medical device.";

export const VERDICTS: Record<Verdict, string> = {
  abnormal: "Unusual",
  normal: "Not unusual",
  unfit: "Not judged",
  unreadable: "Unreadable",
};

export const REVIEWS: Record<Review, string> = { none: "Not reviewed", accepted: "Accepted", rejected: "Rejected" };

export const STATES: Record<JobState, string> = {
  receiving: "receiving",
  queued: "waiting",
  running: "judging",
  done: "done",
  failed: "failed",
  cancelled: "cancelled",
};

/** A number for reading: four figures. */
export function figure(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  return Number(value.toPrecision(digits)).toLocaleString("en-GB", { maximumSignificantDigits: digits });
}

/** A p-value: three decimals, or "< 0.001". */
export function pValue(p: number | null | undefined): string {
  if (p === null || p === undefined || !Number.isFinite(p)) return "–";
  if (p < 0.001) return "< 0.001";
  return p < 0.0995 ? p.toFixed(3) : p.toFixed(2);
}

/** A share as "1 in N". */
export function oneIn(p: number): string {
  return p >= 0.5 ? `${Math.round(100 * p)} in 100` : `1 in ${figure(Number((1 / p).toPrecision(2)))}`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en-GB")} ${count === 1 ? one : many}`;
}

export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB"];
  let place = 0;
  let value = bytes;
  while (value >= 999.5 && place < units.length - 1) {
    value /= 1000;
    place++;
  }
  return `${place === 0 ? value : Number(value.toPrecision(3))} ${units[place]}`;
}

/** Why a scan, or a part of it, was not judged or could not be read; empty where it was. */
export function reason(finding: Finding | FindingRow): string {
  if (finding.verdict === "unreadable") return withoutLabel(finding.error ?? "", finding.label);
  // Of a volume that was judged, it tells of slices that were not.
  return finding.unfit ?? "";
}

/** An error begins with what the server calls the file: that is said already. */
function withoutLabel(error: string, label: string): string {
  const rest = error.startsWith(`${label}: `) ? error.slice(label.length + 2) : error;
  return rest.charAt(0).toUpperCase() + rest.slice(1);
}

type Known = Pick<Healthy, "count" | "groups" | "grouped">;

/** How a finding's score lies among healthy ones, in one sentence. */
export function sentence(finding: Finding | FindingRow, healthy: Known | null): string {
  if (finding.verdict === "unreadable") return "It could not be read.";
  if (finding.verdict === "unfit") return "It was not judged, for it is not a scan like those learned from.";
  if (finding.p_value === null) return "It was judged, but no healthy scans are known to compare it with.";
  const than = among(finding.p_value, healthy);
  if (finding.kind === "picture") return `More unusual than ${than} healthy ${healthy?.count === 1 ? "scan" : "scans"}${patients(finding.p_value, healthy)}.`;
  if (finding.p_kind === "lowest slice") {
    return `Its most unusual slice is more unusual than ${than} healthy slices${patients(finding.p_value, healthy)}.`;
  }
  return `More unusual than ${among(finding.p_value, volumes(healthy))} healthy volumes.`;
}

/** Healthy volumes are counted by patient. */
function volumes(healthy: Known | null): Known | null {
  const count = healthy?.grouped ? healthy.groups : null;
  return count ? { count, groups: count, grouped: true } : null;
}

function patients(p: number, healthy: Known | null): string {
  const groups = healthy?.grouped ? healthy.groups : null;
  if (!groups || above(p, healthy) >= 0.5) return "";
  return ` (of ${plural(groups, "patient")})`;
}

const FEW = 0.05;

/** Where a p-value is as low as so few healthy scans let it be: that it cannot be lower. Else empty. */
export function floored(finding: Finding | FindingRow, healthy: Known | null): string {
  const units = unitsOf(healthy);
  if (finding.p_value === null || units === 0 || above(finding.p_value, healthy) >= 0.5) return "";
  const least = 1 / (units + 1);
  if (least < FEW) return "";
  const known = healthy?.grouped ? plural(units, "healthy patient") : plural(units, "healthy scan");
  return `Only ${known} ${units === 1 ? "is" : "are"} known: p cannot be below ${pValue(least)}.`;
}

/** How many a p-value counts by: patients where they are known, else scans. */
function unitsOf(healthy: Known | null): number {
  return (healthy?.grouped ? healthy.groups : healthy?.count) ?? 0;
}

/** About how many healthy scans are as unusual: each patient's scans count for one together. */
function above(p: number, healthy: Known | null): number {
  const units = unitsOf(healthy);
  return units === 0 ? 0 : ((p * (units + 1) - 1) / units) * (healthy?.count ?? units);
}

/** "98.5 % of 200", "all 200", or "98.5 % of" where their number is not known. */
export function among(p: number, healthy: Known | null): string {
  const count = healthy?.count ?? 0;
  const units = unitsOf(healthy);
  const of = count > 0 ? ` ${count.toLocaleString("en-GB")}` : "";
  if (units > 0) {
    const higher = above(p, healthy);
    if (higher < 0.5) return `all${of}`;
    if (higher > count - 0.5) return `none of${of || " the"}`;
    return `${percent(1 - higher / count)} of${of}`;
  }
  return `${percent(1 - p)} of`;
}

/** A share in percent, never rounded up to all or down to none; it stays on one line. */
export function percent(share: number): string {
  const floor = Math.floor(1000 * share + 1e-9) / 10;
  return `${floor.toLocaleString("en-GB", { maximumFractionDigits: 1 })}\u00a0%`;
}

/** What the threshold makes of it. */
export function decision(finding: Finding | FindingRow): string {
  if (finding.flagged === null || finding.score === null || finding.threshold === null) return "";
  if (finding.kind === "volume" && finding.slices) {
    const judged = "slice_findings" in finding ? finding.slice_findings?.filter((one) => one.score !== null).length : undefined;
    const of = judged === undefined || judged === finding.slices ? `${finding.slices}` : `${judged} that were judged`;
    return `${plural(finding.slices_flagged ?? 0, "slice")} of ${of} above the threshold.`;
  }
  return `Score ${figure(finding.score)}, ${finding.flagged ? "above" : "below"} the threshold of ${figure(finding.threshold)}.`;
}

/** A time of the server as the reader's clock says it. */
export function when(time: string | null | undefined): string {
  if (!time) return "–";
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return "–";
  const today = at.toDateString() === new Date().toDateString();
  return today
    ? at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })
    : at.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
}
