/** Verdicts and reviews, told by word, shape and colour. */

import type { Review, Verdict } from "../api/types";
import { REVIEWS, VERDICTS } from "../words";
import { Icon } from "./icon";

export function VerdictBadge({ verdict }: { verdict: Verdict }) {
  return (
    <span class={`badge ${verdict}`}>
      <svg class="badge-shape" width="10" height="10" viewBox="0 0 10 10" aria-hidden="true">
        {verdict === "abnormal" && <path d="M5 0.5 9.7 9H0.3z" />}
        {verdict === "normal" && <circle cx="5" cy="5" r="4" />}
        {verdict === "unfit" && <rect x="1" y="4" width="8" height="2.4" />}
        {verdict === "unreadable" && <path d="M1 1l8 8M9 1L1 9" class="badge-cross" />}
      </svg>
      {VERDICTS[verdict]}
    </span>
  );
}

export function ReviewMark({ review }: { review: Review }) {
  if (review === "none") return null;
  return (
    <span class={`review ${review}`}>
      <Icon name={review === "accepted" ? "check" : "cross"} size={14} />
      {REVIEWS[review]}
    </span>
  );
}
