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

/** How a finding's score lies among healthy ones, in one sentence. */
export function sentence(finding: Finding | FindingRow, healthy: Pick<Healthy, "count" | "groups" | "grouped"> | null): string {
  if (finding.verdict === "unreadable") return `It could not be read. ${finding.error ?? ""}`.trim();
  if (finding.verdict === "unfit") {
    return `It was not judged, for it is not a scan like those learned from. ${finding.unfit ?? ""}`.trim();
  }
  if (finding.p_value === null) return "It was judged, but no healthy scans are known to compare it with.";
  const than = among(finding.p_value, healthy);
  if (finding.kind === "picture") return `More unusual than ${than} healthy ${healthy?.count === 1 ? "scan" : "scans"}.`;
  if (finding.p_kind === "lowest slice") return `Its most unusual slice is more unusual than ${than} healthy slices.`;
  return `More unusual than ${among(finding.p_value, null)} healthy volumes.`;
}

/** "98.5 % of 200", "all 200", or "98.5 % of" where their number is not known. */
export function among(p: number, healthy: Pick<Healthy, "count" | "groups" | "grouped"> | null): string {
  const count = healthy?.count ?? 0;
  const units = healthy?.grouped ? (healthy.groups ?? 0) : count;
  const of = count > 0 ? ` ${count.toLocaleString("en-GB")}` : "";
  if (units > 0) {
    const above = p * (units + 1) - 1;
    if (above < 0.5) return `all${of}`;
    if (above > units - 0.5) return `none of${of || " the"}`;
    return `${percent(1 - above / units)} of${of}`;
  }
  return `${percent(1 - p)} of`;
}

/** A share in percent, never rounded up to all or down to none. */
export function percent(share: number): string {
  const floor = Math.floor(1000 * share + 1e-9) / 10;
  return `${floor.toLocaleString("en-GB", { maximumFractionDigits: 1 })} %`;
}

/** What the threshold makes of it. */
export function decision(finding: Finding | FindingRow): string {
  if (finding.flagged === null || finding.score === null || finding.threshold === null) return "";
  if (finding.kind === "volume" && finding.slices) {
    return `${plural(finding.slices_flagged ?? 0, "slice")} of ${finding.slices} above the threshold.`;
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
