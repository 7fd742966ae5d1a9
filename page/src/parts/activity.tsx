/** Uploads on their way and jobs at work. */

import type { Job } from "../api/types";
import { failed, judgeAgain, removeJob, running } from "../state/jobs";
import { nameOfJob } from "../state/names";
import { mayManage, mayRead } from "../state/session";
import { fail } from "../state/toasts";
import { drop, dropAll, retry, uploads, type Upload } from "../state/uploads";
import { plural, size, STATES } from "../words";
import { Icon } from "./icon";

/** So many lines are shown of each kind; of the others their number. */
const LINES = 3;
const ORDER = { sending: 0, held: 1, failed: 2, waiting: 3 };

export function Activity() {
  if (uploads.value.length + running.value.length + failed.value.length === 0) return null;
  const sent = [...uploads.value].sort((a, b) => ORDER[a.state] - ORDER[b.state]);
  const [first, later] = [sent.slice(0, LINES), sent.slice(LINES)];
  const judged = [...running.value].reverse();
  return (
    <section class="activity" aria-label="Uploads and jobs">
      {first.map((upload) => (
        <UploadLine key={upload.id} upload={upload} />
      ))}
      {later.length > 0 && (
        <div class="work">
          <p class="work-name">
            {plural(later.reduce((sum, upload) => sum + upload.files.length, 0), "more file")}
            <small>waiting to be sent</small>
          </p>
          <button type="button" class="button small" onClick={dropAll}>
            Stop all
          </button>
        </div>
      )}
      {judged.slice(0, LINES).map((job) => (
        <JobLine key={job.id} job={job} />
      ))}
      {judged.length > LINES && <p class="hint">{plural(judged.length - LINES, "more job")} at work or waiting.</p>}
      {failed.value.map((job) => (
        <JobLine key={job.id} job={job} />
      ))}
    </section>
  );
}

function UploadLine({ upload }: { upload: Upload }) {
  const sent = Math.min(upload.sent, upload.bytes);
  return (
    <div class={`work ${upload.state}`}>
      <p class="work-name">
        {upload.files.length === 1 ? upload.files[0]?.name : plural(upload.files.length, "file")}
        <small>
          {upload.state === "sending" && `sending, ${size(sent)} of ${size(upload.bytes)}`}
          {upload.state === "waiting" && "waiting to be sent"}
          {upload.error}
        </small>
      </p>
      {(upload.state === "sending" || upload.state === "waiting") && <progress max={Math.max(1, upload.bytes)} value={sent} aria-label="Sent" />}
      {(upload.state === "held" || (upload.state === "failed" && upload.again)) && (
        <button type="button" class="button small" onClick={() => retry(upload.id)}>
          {upload.state === "held" ? "Try now" : "Try again"}
        </button>
      )}
      <button type="button" class="icon-button" aria-label={upload.state === "failed" ? "Take this away" : "Stop this upload"} onClick={() => drop(upload.id)}>
        <Icon name="cross" size={16} />
      </button>
    </div>
  );
}

function JobLine({ job }: { job: Job }) {
  const known = job.total !== null && job.total > 0;
  return (
    <div class={`work ${job.state}`}>
      <p class="work-name">
        {nameOfJob(job.id) ?? (job.label || "job")}
        <small>
          {job.state === "failed"
            ? (job.error ?? "It failed.")
            : `${STATES[job.state]}${known ? `, ${job.done} of ${plural(job.total!, "scan")}` : ""}`}
        </small>
      </p>
      {job.state !== "failed" && (
        <progress max={known ? job.total! : 1} {...(known ? { value: job.done } : {})} aria-label="Judged" />
      )}
      {job.state === "failed" && mayRead.value && (
        <button type="button" class="button small" onClick={() => void judgeAgain(job.id).catch(fail)}>
          Judge again
        </button>
      )}
      {(job.state === "failed" ? mayManage : mayRead).value && (
        <button
          type="button"
          class="icon-button"
          aria-label={job.state === "failed" ? "Take this job away" : "Stop this job"}
          onClick={() => void removeJob(job.id).catch(fail)}
        >
          <Icon name="cross" size={16} />
        </button>
      )}
    </div>
  );
}
