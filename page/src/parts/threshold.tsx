/** The threshold on the histogram of healthy scores: move it, see what that would do, apply it. */

import { useEffect, useRef, useState } from "preact/hooks";
import { Histogram } from "../charts/histogram";
import { api } from "../api/client";
import type { Healthy, Preview, Screener } from "../api/types";
import { forget } from "../state/findings";
import { loadScreeners, screeners } from "../state/screeners";
import { about, mayManage } from "../state/session";
import { fail, say } from "../state/toasts";
import { refresh } from "../state/worklist";
import { figure, plural, pValue } from "../words";

interface Props {
  screener: string;
  healthy: Healthy;
  score?: number | null | undefined;
  unusual?: boolean;
  threshold?: number | null;
  /** Called with the identifier of the version that is in use now. */
  onChanged?: (screener: string) => void;
}

const PATIENCE = 220;

export function ThresholdChart({ screener, healthy, score, unusual, threshold, onChanged }: Props) {
  const [moved, setMoved] = useState<number | null>(null);
  const [preview, setPreview] = useState<Preview | null>(null);
  const asked = useRef<AbortController | null>(null);

  useEffect(() => setMoved(null), [screener, score]);
  useEffect(() => {
    asked.current?.abort();
    if (moved === null) return setPreview(null);
    const stop = new AbortController();
    asked.current = stop;
    const timer = setTimeout(() => {
      const ask = (json: object) => api<Preview>(`/screeners/${screener}/threshold/preview`, { method: "POST", json, signal: stop.signal });
      // What is told is what would be applied: a rule, the one that comes nearest to where the line was drawn.
      ask({ value: moved })
        .then(({ rule, parameter }) => ask({ rule, parameter }))
        .then(setPreview)
        .catch(fail);
    }, PATIENCE);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [moved, screener]);

  const unsignable = about.value?.requires_signature;
  const retired = screeners.value.some((one) => one.id === screener && one.retired);
  const apply = async () => {
    if (!preview) return;
    try {
      const json = { rule: preview.rule, parameter: preview.parameter };
      const changed = await api<{ screener: Screener }>(`/screeners/${screener}/threshold`, { method: "POST", json });
      say("The threshold was changed, and stored findings were decided again.");
      forget();
      refresh();
      setMoved(null);
      await loadScreeners();
      onChanged?.(changed.screener.id);
    } catch (error) {
      fail(error);
    }
  };

  return (
    <div class="threshold">
      <Histogram
        healthy={healthy}
        score={score}
        unusual={unusual ?? false}
        threshold={threshold ?? healthy.threshold}
        moved={moved}
        onMove={setMoved}
      />
      {moved === null && <p class="hint">Drag the threshold to preview another one.</p>}
      {moved !== null && (
        <div class="preview" aria-live="polite">
          {preview ? <Told preview={preview} /> : <p>Threshold {figure(moved)}…</p>}
          <p class="preview-actions">
            <button type="button" class="button small" onClick={() => setMoved(null)}>
              Put it back
            </button>
            {mayManage.value && preview && !retired && !unsignable && (
              <button type="button" class="button small danger" onClick={() => void apply()}>
                Apply to this Screener
              </button>
            )}
          </p>
          {mayManage.value && unsignable && (
            <p class="hint">
              This server uses signed Screeners alone, and cannot sign: change the threshold with <code>atypia threshold</code>,
              sign the file with <code>atypia sign</code>, and add it as another Screener.
            </p>
          )}
        </div>
      )}
    </div>
  );
}

function Told({ preview }: { preview: Preview }) {
  const { findings } = preview;
  return (
    <>
      <p>
        <b>Threshold {figure(preview.threshold)}</b>, p {pValue(preview.p_value)}. {preview.guarantee}{" "}
        <small>
          The rule that comes nearest: {preview.rule} {figure(preview.parameter)}.
        </small>
      </p>
      <p>
        Of {plural(findings.total, "stored finding")}, {findings.flagged_before} are unusual now and{" "}
        <b>{findings.flagged_after}</b> would be
        {findings.newly_count + findings.no_longer_count > 0 &&
          `: ${findings.newly_count} newly, ${findings.no_longer_count} no longer`}
        .
      </p>
    </>
  );
}
