/** What the server sends: the shapes of /api/v1. */

export type Verdict = "normal" | "abnormal" | "unfit" | "unreadable";
export type Review = "none" | "accepted" | "rejected";
export type Label = "healthy" | "abnormal" | "unsure";
export type Kind = "picture" | "volume";
export type Role = "viewer" | "reader" | "admin";
export type JobState = "receiving" | "queued" | "running" | "done" | "failed" | "cancelled";

export interface User {
  name: string;
  role: Role;
}

export interface About {
  version: string;
  notice: string;
  limits: { upload_bytes: number; files_per_job: number };
  formats: string[];
  auth: { required: boolean; kinds: string[]; user: User | null };
  keeps_names?: boolean;
  path_jobs?: boolean;
  /** Whether a Screener judges only where its file is signed by the key of this server. */
  requires_signature?: boolean;
  node: { ae_title: string; port: number } | null;
}

export interface Session {
  user: User | null;
  csrf?: string | null;
}

export interface Page<T> {
  items: T[];
  next: string | null;
  total?: number | null;
}

export interface Job {
  id: string;
  kind: "upload" | "path" | "study";
  state: JobState;
  screener: string;
  label: string;
  created: string;
  started: string | null;
  ended: string | null;
  total: number | null;
  done: number;
  error: string | null;
  findings: Partial<Record<Verdict, number>>;
  attempts: number;
}

export interface FindingRow {
  id: string;
  job: string;
  screener: string;
  index: number;
  /** Which file of the upload it came in. */
  file?: number | null;
  label: string;
  kind: Kind;
  verdict: Verdict;
  score: number | null;
  p_value: number | null;
  p_kind?: "scan" | "volume" | "lowest slice" | null;
  threshold: number | null;
  flagged: boolean | null;
  stratum: string | null;
  plane: string | null;
  sequence: string | null;
  regions: number;
  slices: number | null;
  slices_flagged: number | null;
  error: string | null;
  unfit: string | null;
  created: string;
  review: Review;
  feedback: Label[];
  thumbnail: string | null;
  study: string | null;
}

export interface Region {
  rank: number;
  area?: number | null;
  area_mm2?: number | null;
  voxels?: number | null;
  volume_mm3?: number | null;
  peak: number | null;
  mean: number | null;
  p_value: number | null;
  centre: number[] | null;
  box?: number[] | null;
  slices?: (number | string)[] | null;
}

export interface SliceFinding {
  index: number;
  name: string;
  score: number | null;
  p_value: number | null;
  flagged: boolean | null;
}

export interface FindingFile {
  name: string;
  url: string;
  /** Null where it is drawn when it is asked for. */
  bytes: number | null;
  media_type: string;
}

export interface Finding extends Omit<FindingRow, "regions"> {
  map: { shape: number[] } | null;
  spacing: number[] | null;
  regions: Region[];
  slice_findings: SliceFinding[] | null;
  look_at: number[] | null;
  affine: number[][] | null;
  notes: string[] | string | null;
  heat_scale: [number, number] | null;
  /** Of a volume: a share of the pixels of healthy heads, falling, and the heat that so many have at least. */
  rarities?: [number, number][];
  files: FindingFile[];
  previous: string | null;
  next: string | null;
  highest?: number | null;
}

export interface Screener {
  id: string;
  name: string;
  detector: string;
  version: string;
  sha256: string;
  created: string;
  default: boolean;
  retired: boolean;
  rule: string;
  parameter: number | null;
  threshold: number;
  guarantee: string;
  healthy_count: number | null;
  groups: number | null;
  planes: string[] | null;
  heat_scale: [number, number] | null;
  has_reconstruction: boolean;
  has_alike: boolean;
  findings: number;
  bytes?: number;
}

export interface Healthy {
  scores: number[];
  count: number;
  groups: number | null;
  grouped?: boolean;
  threshold: number;
  rule: string;
  parameter: number | null;
  strata: Record<string, unknown>;
}

export interface Preview {
  threshold: number;
  p_value: number | null;
  rule: string;
  parameter: number | null;
  guarantee: string;
  findings: Effect;
}

export interface Effect {
  total: number;
  flagged_before: number;
  flagged_after: number;
  newly_count: number;
  no_longer_count: number;
  newly: string[];
  no_longer: string[];
}

export interface DriftAlarm {
  check: string;
  direction: string;
  at: string;
  at_time: string;
  since: string;
  since_time: string;
}

export interface DriftStream {
  name: string;
  scans: number;
  calibration: number | null;
  findings: string[];
  times: string[];
  p_values: number[];
  log10_capital: (number | null)[];
  alarm_at: number;
  windows: {
    first: string;
    last: string;
    scans: number;
    low: number;
    expected: number;
    fewest: number;
    most: number;
    alarm: boolean;
  }[];
  alarms: DriftAlarm[];
}

export interface Drift {
  screener: string;
  recalibration_due: boolean;
  window: number;
  risk: number;
  findings: number;
  unfit: number;
  unreadable: number;
  unfit_alarm: DriftAlarm | null;
  streams: DriftStream[];
}

export interface Alike {
  distance: number;
  thumbnail: string;
}

export interface Feedback {
  id: string;
  label: Label;
  note: string | null;
  by?: string | null;
  created: string;
}

export interface Problem {
  title: string;
  status: number;
  detail?: string | null;
}

export interface Study {
  id: string;
  state: string;
  source: string | null;
  instances: number;
  objects?: number;
  bytes: number;
  version: number;
  opened: string;
  last: string;
  error: string | null;
  job: string | null;
}

export interface Delivery {
  id: string;
  job: string | null;
  finding: string | null;
  study: string | null;
  peer: string;
  file: string;
  state: string;
  attempts: number;
  created: string;
  due: string | null;
  ended: string | null;
  error: string | null;
}

export interface Token {
  id: string;
  name: string;
  role: Role;
  created: string;
  expires: string | null;
  last_used: string | null;
  revoked?: string | boolean | null;
}

export interface Deed {
  id: number;
  at: string;
  who: string;
  role: string;
  action: string;
  subject: string | null;
  status: number | null;
  address: string | null;
}
