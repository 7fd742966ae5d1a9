/** Uploads on their way and jobs at work. */

import type { Job } from "../api/types";
import { failed, removeJob, running } from "../state/jobs";
import { mayRead } from "../state/session";
import { fail } from "../state/toasts";
import { drop, retry, uploads, type Upload } from "../state/uploads";
import { plural, size, STATES } from "../words";
import { Icon } from "./icon";

export function Activity() {
  if (uploads.value.length + running.value.length + failed.value.length === 0) return null;
  return (
    <section class="activity" aria-label="Uploads and jobs">
      {uploads.value.map((upload) => (
        <UploadLine key={upload.id} upload={upload} />
      ))}
      {running.value.map((job) => (
        <JobLine key={job.id} job={job} />
      ))}
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
          {upload.state === "waiting" && "waits to be sent"}
          {upload.state === "failed" && upload.error}
        </small>
      </p>
      {upload.state !== "failed" && <progress max={Math.max(1, upload.bytes)} value={sent} aria-label="Sent" />}
      {upload.state === "failed" && upload.again && (
        <button type="button" class="button small" onClick={() => retry(upload.id)}>
          Try again
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
        {job.label || "job"}
        <small>
          {job.state === "failed"
            ? (job.error ?? "It failed.")
            : `${STATES[job.state]}${known ? `, ${job.done} of ${plural(job.total!, "scan")}` : ""}`}
        </small>
      </p>
      {job.state !== "failed" && (
        <progress max={known ? job.total! : 1} {...(known ? { value: job.done } : {})} aria-label="Judged" />
      )}
      {mayRead.value && (
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
