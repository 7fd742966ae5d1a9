/** Beside the viewer: the verdict in words, its place among healthy scans, regions, and what a reader says of it. */

import type { Finding, Label, Region, Review } from "../api/types";
import { api } from "../api/client";
import type { Alike } from "../api/types";
import { Icon } from "../parts/icon";
import { useLoaded } from "../parts/loaded";
import { ThresholdChart } from "../parts/threshold";
import { feedbackOf } from "../state/findings";
import { healthyOf, screenerName, screeners } from "../state/screeners";
import { mayRead } from "../state/session";
import { isShown } from "../viewer/regions";
import { SeenAndExpected } from "../viewer/small";
import { decision, figure, floored, plural, pValue, reason, sentence, size, when } from "../words";

interface Props {
  finding: Finding;
  selected: number | null;
  onSelect: (rank: number | null) => void;
  onReview: (state: Review) => void;
  onLabel: (label: Label) => void;
  onNote: () => void;
  onTakeBack: (feedback: string) => void;
  /** Called when the finding was decided again. */
  onDecided: () => void;
  /** Grows each time that something was said. */
  round: number;
}

export function Side({ finding, selected, onSelect, onReview, onLabel, onNote, onTakeBack, onDecided, round }: Props) {
  const judged = finding.verdict === "normal" || finding.verdict === "abnormal";
  const healthy = useLoaded(() => healthyOf(finding.screener), [finding.screener]);
  const score = finding.kind === "volume" ? (finding.highest ?? finding.score) : finding.score;
  return (
    <aside class="reader-side" aria-label="Finding">
      <section class={`panel verdict ${finding.verdict}`} aria-label="Verdict">
        <p class="verdict-sentence">{sentence(finding, healthy.value)}</p>
        {decision(finding) && <p class="verdict-decision">{decision(finding)}</p>}
        {reason(finding) && <p class="verdict-reason">{reason(finding)}</p>}
        {floored(finding, healthy.value) && <p class="hint">{floored(finding, healthy.value)}</p>}
        {mayRead.value && <Marks finding={finding} onReview={onReview} onLabel={onLabel} onNote={onNote} />}
        <Said finding={finding} round={round} onTakeBack={onTakeBack} />
      </section>
      {judged && healthy.value && (
        <section class="panel" aria-labelledby="among">
          <h2 id="among">Among {healthy.value.count} healthy {finding.kind === "volume" ? "slices" : "scans"}</h2>
          <ThresholdChart
            screener={finding.screener}
            healthy={healthy.value}
            score={score}
            unusual={finding.flagged ?? false}
            threshold={finding.threshold}
            onChanged={onDecided}
          />
        </section>
      )}
      {judged && <Regions finding={finding} selected={selected} onSelect={onSelect} />}
      <SeenAndExpected finding={finding} />
      {judged && finding.kind === "picture" && screeners.value.some((one) => one.id === finding.screener && one.has_alike) && <LookAlike finding={finding} />}
      <Files finding={finding} />
      <Details finding={finding} />
    </aside>
  );
}

interface MarksProps extends Pick<Props, "onReview" | "onLabel" | "onNote"> {
  finding: Finding;
}

function Marks({ finding, onReview, onLabel, onNote }: MarksProps) {
  return (
    <div class="marks">
      <div class="mark-pair" role="group" aria-label="Review">
        <button type="button" class="button" aria-pressed={finding.review === "accepted"} onClick={() => onReview("accepted")}>
          <Icon name="check" /> Accept <kbd>a</kbd>
        </button>
        <button type="button" class="button" aria-pressed={finding.review === "rejected"} onClick={() => onReview("rejected")}>
          <Icon name="cross" /> Reject <kbd>x</kbd>
        </button>
      </div>
      <div class="mark-line" role="group" aria-labelledby="really">
        <span id="really">Really</span>
        <button type="button" class="button small" onClick={() => onLabel("healthy")}>
          healthy <kbd>h</kbd>
        </button>
        <button type="button" class="button small" onClick={() => onLabel("abnormal")}>
          abnormal <kbd>b</kbd>
        </button>
        <button type="button" class="button small" onClick={onNote}>
          Note <kbd>n</kbd>
        </button>
      </div>
    </div>
  );
}

function Said({ finding, round, onTakeBack }: Pick<Props, "finding" | "round" | "onTakeBack">) {
  const said = useLoaded((signal) => feedbackOf(finding.id, signal), [finding.id, finding.feedback.length, round]);
  if (!said.value?.length) return null;
  return (
    <ul class="said" aria-label="Feedback">
      {said.value.map((one) => (
        <li key={one.id}>
          <p>
            <b>{one.label === "unsure" ? "Not sure" : `Really ${one.label}`}</b>
            {one.note && <span> {one.note}</span>}
            <small>
              {one.by ? `${one.by}, ` : ""}
              {when(one.created)}
            </small>
          </p>
          {mayRead.value && (
            <button type="button" class="icon-button" aria-label="Take this back" title="Take this back" onClick={() => onTakeBack(one.id)}>
              <Icon name="cross" size={14} />
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}

function Regions({ finding, selected, onSelect }: Pick<Props, "finding" | "selected" | "onSelect">) {
  return (
    <section class="panel" aria-labelledby="regions">
      <h2 id="regions">{finding.regions.length === 0 ? "Regions" : plural(finding.regions.length, "region")}</h2>
      {finding.regions.length === 0 && <p class="hint">No place of it is unlike healthy scans.</p>}
      <ol class="regions">
        {finding.regions.filter(isShown).map((region) => (
          <li key={region.rank}>
            <button
              type="button"
              aria-pressed={selected === region.rank}
              onClick={() => onSelect(selected === region.rank ? null : region.rank)}
            >
              <b class="region-rank">{region.rank}</b>
              <span>
                {extent(region)}
                <small>peak {figure(region.peak, 3)}</small>
              </span>
              <span class="region-p">p {pValue(region.p_value)}</span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}

function extent(region: Region): string {
  if (region.volume_mm3) {
    return region.volume_mm3 >= 1000 ? `${figure(region.volume_mm3 / 1000, 3)} ml` : `${figure(region.volume_mm3, 3)} mm³`;
  }
  if (region.area_mm2) return `${figure(region.area_mm2, 3)} mm²`;
  return region.voxels ? plural(region.voxels, "voxel") : plural(region.area ?? 0, "pixel");
}

function LookAlike({ finding }: { finding: Finding }) {
  const alike = useLoaded((signal) => api<Alike[]>(`/findings/${finding.id}/alike?n=5`, { signal }), [finding.id]);
  if (!alike.value?.length) return null;
  return (
    <section class="panel" aria-labelledby="alike">
      <h2 id="alike">Healthy scans that look most alike</h2>
      <ul class="alike">
        {alike.value.map((one, place) => (
          <li key={place}>
            <img src={one.thumbnail} width={96} height={96} alt={`Healthy scan, the ${place + 1}. most alike`} />
          </li>
        ))}
      </ul>
    </section>
  );
}

const FILES: [RegExp, string][] = [
  [/^report\.html$/, "Report"],
  [/^overlay\.png$/, "Picture with heat map"],
  [/^scan\.(png|nii\.gz)$/, "Scan"],
  [/^map\.nii\.gz$/, "Heat map (NIfTI)"],
  [/^map\.bin\.gz$/, "Heat map (raw float32)"],
  [/^p\.bin\.gz$/, "Rarity of pixels (raw float32)"],
  [/^mask\.(png|nii\.gz)$/, "Mask of the regions"],
  [/seg[^/]*\.dcm$/i, "Segmentation (DICOM SEG)"],
  [/sr[^/]*\.dcm$/i, "Report (DICOM SR)"],
  [/\.dcm$/i, "Picture (DICOM)"],
  [/^slice-\d+\.png$/, "Slice"],
];

function Files({ finding }: { finding: Finding }) {
  const offered = finding.files.flatMap((file) => {
    const word = FILES.find(([pattern]) => pattern.test(file.name))?.[1];
    return word ? [{ ...file, word: word === "Slice" ? `Slice ${file.name.replace(/\D/g, "")}` : word }] : [];
  });
  if (offered.length === 0) return null;
  return (
    <details class="panel">
      <summary>
        <Icon name="download" /> Download
      </summary>
      <ul class="files">
        {offered.map((file) => {
          const page = file.name.endsWith(".html");
          return (
            <li key={file.name}>
              <a href={file.url} {...(page ? { target: "_blank", rel: "noopener" } : { download: file.name.split("/").at(-1) })}>
                {file.word}
              </a>
              {file.bytes !== null && <small>{size(file.bytes)}</small>}
            </li>
          );
        })}
      </ul>
    </details>
  );
}

function Details({ finding }: { finding: Finding }) {
  const notes = Array.isArray(finding.notes) ? finding.notes : finding.notes ? [finding.notes] : [];
  const facts: [string, string | null][] = [
    ["Screener", screenerName(finding.screener)],
    ["Kind", finding.kind],
    ["Plane", finding.plane],
    ["Sequence", finding.sequence],
    ["Compared with", finding.stratum],
    ["Size", finding.map?.shape.join(" × ") ?? null],
    ["Spacing", finding.spacing ? `${finding.spacing.map((one) => figure(one, 3)).join(" × ")} mm` : null],
    ["Judged", when(finding.created)],
    ["Finding", finding.id],
  ];
  return (
    <details class="panel">
      <summary>Details</summary>
      <dl class="facts">
        {facts.map(
          ([word, value]) =>
            value && (
              <div key={word}>
                <dt>{word}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
      <p class="row">
        <a class="button small" href={`/?job=${finding.job}`}>
          All of its job
        </a>
      </p>
      {notes.map((note) => (
        <p key={note} class="hint">
          {note}
        </p>
      ))}
    </details>
  );
}
