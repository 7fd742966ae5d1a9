/** The worklist: findings in order, the most unusual first. */

import { useEffect, useRef, useState } from "preact/hooks";
import { signal } from "@preact/signals";
import type { FindingRow } from "../api/types";
import { Activity } from "../parts/activity";
import { Confirm } from "../parts/confirm";
import { Icon } from "../parts/icon";
import { PickFiles } from "../parts/pick_files";
import { Empty, Failure, Waiting } from "../parts/states";
import { ReviewMark, VerdictBadge } from "../parts/verdict";
import { go, query } from "../routing";
import { recalled, remembered } from "../state/browser";
import { bind } from "../state/keys";
import { nameOf } from "../state/names";
import { screenerName, screeners } from "../state/screeners";
import { removeJob, running } from "../state/jobs";
import { about, mayRead } from "../state/session";
import { fail, say } from "../state/toasts";
import { uploads } from "../state/uploads";
import { addressOf, choose, failure, filters, filtersOf, hasMore, lastOpened, load, loading, more, ready, rows, total } from "../state/worklist";
import type { Filters } from "../state/worklist";
import { warm } from "../viewer/stage";
import { figure, plural, pValue, reason, sentence, when } from "../words";

const layout = signal<"list" | "grid">(recalled("layout") === "grid" ? "grid" : "list");

const VERDICT_CHOICES = [
  ["", "All"],
  ["abnormal", "Unusual"],
  ["normal", "Not unusual"],
  ["unfit", "Not judged"],
  ["unreadable", "Unreadable"],
] as const;

export function Worklist() {
  useEffect(() => choose(filtersOf(query.value)), [query.value]);
  const chosen = Object.keys(filters.value).some((key) => key !== "sort");
  const list = useRef<HTMLUListElement>(null);
  useReading(list);
  const volumes = rows.value.some((row) => row.kind === "volume" && row.thumbnail !== null);
  useEffect(() => {
    if (volumes) warm();
  }, [volumes]);
  const nothing = ready.value && rows.value.length === 0;
  const working = running.value.length + uploads.value.length > 0;
  const welcome = nothing && !chosen && !working;
  return (
    <div class="worklist">
      <header class="view-head">
        <h1>Worklist</h1>
        {mayRead.value && !welcome && <PickFiles />}
      </header>
      <Activity />
      {!(nothing && !chosen) && <Filtering />}
      {failure.value && <Failure error={failure.value} retry={() => void load()} />}
      {!ready.value && !failure.value && <Waiting what="findings" />}
      {welcome && <Welcome />}
      {nothing && chosen && (
        <Empty title="Nothing matches">
          <button type="button" class="button" onClick={() => go("/")}>
            Show all findings
          </button>
        </Empty>
      )}
      {rows.value.length > 0 && (
        <ul ref={list} class={`findings ${layout.value}`} aria-label="Findings" aria-busy={loading.value}>
          {rows.value.map((row) => (
            <Row key={row.id} row={row} />
          ))}
        </ul>
      )}
      <Further />
    </div>
  );
}

/** The keyboard goes through the list, and from a finding back to its place in it. */
function useReading(list: { current: HTMLUListElement | null }): void {
  const links = () => [...(list.current?.querySelectorAll("a") ?? [])];
  const step = (by: number) => {
    const all = links();
    const at = all.findIndex((link) => link === document.activeElement);
    const to = all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))];
    to?.focus();
    to?.scrollIntoView({ block: "nearest" });
  };
  useEffect(
    () =>
      bind([
        { keys: ["j", "ArrowDown"], does: "Next finding of the list; Enter opens it", act: () => step(1) },
        { keys: ["k", "ArrowUp"], does: "Previous finding of the list", act: () => step(-1) },
        { keys: ["/"], does: "Search", act: () => document.querySelector<HTMLInputElement>("input[type=search]")?.focus() },
      ]),
    [],
  );
  useEffect(() => {
    const last = lastOpened.value;
    lastOpened.value = null;
    const link = last && links().find((one) => one.pathname.endsWith(last));
    if (!link) return;
    link.focus({ preventScroll: true });
    link.scrollIntoView({ block: "center" });
  }, []);
}

function Filtering() {
  const now = filters.value;
  const set = (by: Filters) => go(`/${addressOf({ ...now, ...by })}`, { replace: true });
  const typed = useRef<ReturnType<typeof setTimeout>>(undefined);
  const [asked, setAsked] = useState(false);
  const remove = () =>
    removeJob(now.job!)
      .then(() => set({ job: "" }))
      .then(() => say("The job was deleted."))
      .catch(fail);
  const several = screeners.value.length > 1;
  return (
    <form class="filters" role="search" aria-label="Findings" onSubmit={(event) => event.preventDefault()}>
      <div class="chips" role="group" aria-label="Verdict">
        {VERDICT_CHOICES.map(([value, word]) => (
          <button
            key={value}
            type="button"
            class="chip"
            aria-pressed={(now.verdict ?? "") === value}
            onClick={() => set({ verdict: value })}
          >
            {word}
          </button>
        ))}
      </div>
      <div class="filter-fields">
        <input
          type="search"
          placeholder="Search"
          aria-label="Search labels"
          value={now.q ?? ""}
          onInput={(event) => {
            const q = event.currentTarget.value;
            clearTimeout(typed.current);
            typed.current = setTimeout(() => set({ q }), 250);
          }}
        />
        <Choice label="Review" value={now.review} onChange={(review) => set({ review })}>
          {[["", "Any review"], ["none", "Not reviewed"], ["accepted", "Accepted"], ["rejected", "Rejected"]]}
        </Choice>
        <Choice label="Kind" value={now.kind} onChange={(kind) => set({ kind })}>
          {[["", "Any kind"], ["picture", "Pictures"], ["volume", "Volumes"]]}
        </Choice>
        {several && (
          <Choice label="Screener" value={now.screener} onChange={(screener) => set({ screener })}>
            {[["", "Any Screener"], ...screeners.value.map((one) => [one.id, one.name])]}
          </Choice>
        )}
        <Choice label="Order" value={now.sort} onChange={(sort) => set({ sort })}>
          {[["", "Most unusual first"], ["-p_value", "Least unusual first"], ["-score", "Highest score first"], ["-created", "Newest first"], ["created", "Oldest first"]]}
        </Choice>
        <button
          type="button"
          class="icon-button"
          aria-label={layout.value === "list" ? "Show as cards" : "Show as a list"}
          title={layout.value === "list" ? "Show as cards" : "Show as a list"}
          onClick={() => {
            layout.value = layout.value === "list" ? "grid" : "list";
            remembered("layout", layout.value);
          }}
        >
          <Icon name={layout.value === "list" ? "grid" : "list"} />
        </button>
      </div>
      <p class="count" role="status">
        {total.value !== null && plural(total.value, "finding")}
        {now.job && <span> of one job</span>}
        {now.study && <span> of one study</span>}
        {(now.job || now.study) && (
          <button type="button" class="link" onClick={() => set({ job: "", study: "" })}>
            show all
          </button>
        )}
        {now.job && mayRead.value && (
          <button type="button" class="link" onClick={() => setAsked(true)}>
            delete it
          </button>
        )}
        {now.job && asked && (
          <Confirm title="Delete this job?" word="Delete it" onYes={() => void remove()} onClose={() => setAsked(false)}>
            <p>What was sent for it, and all that was found of it, is deleted from this server, with what readers said.</p>
          </Confirm>
        )}
      </p>
    </form>
  );
}

interface ChoiceProps {
  label: string;
  value: string | undefined;
  onChange: (value: string) => void;
  children: (string | undefined)[][];
}

function Choice({ label, value, onChange, children }: ChoiceProps) {
  return (
    <select aria-label={label} value={value ?? ""} onChange={(event) => onChange(event.currentTarget.value)}>
      {children.map(([key, word]) => (
        <option key={key} value={key}>
          {word}
        </option>
      ))}
    </select>
  );
}

function Row({ row }: { row: FindingRow }) {
  const [, folder, name] = /^(?:(.*)\/)?([^/]*)$/s.exec(nameOf(row)) ?? [null, null, nameOf(row)];
  const judged = row.verdict === "normal" || row.verdict === "abnormal";
  return (
    <li class={`finding ${row.verdict}`}>
      <a href={`/findings/${row.id}`}>
        <Thumbnail row={row} />
        <span class="finding-name">
          <b title={nameOf(row)}>{name}</b>
          <small>{[folder, row.kind === "volume" ? "volume" : null, row.plane, row.sequence, screeners.value.length > 1 ? screenerName(row.screener) : null].filter(Boolean).join(" · ")}</small>
        </span>
        <span class="finding-verdict">
          <VerdictBadge verdict={row.verdict} />
          <ReviewMark review={row.review} />
        </span>
        <span class="finding-p">
          {judged ? (
            <>
              <b>p {pValue(row.p_value)}</b>
              <small>score {figure(row.score)}</small>
            </>
          ) : (
            <small>{reason(row)}</small>
          )}
        </span>
        <span class="finding-more">
          {judged && <small>{row.kind === "volume" && row.slices ? `${row.slices_flagged ?? 0} of ${row.slices} slices` : plural(row.regions, "region")}</small>}
          <small>{when(row.created)}</small>
        </span>
        <span class="unseen">{sentence(row, null)}</span>
      </a>
    </li>
  );
}

export function Thumbnail({ row }: { row: { thumbnail: string | null; verdict: string } }) {
  if (!row.thumbnail) {
    return (
      <span class="thumbnail none" aria-hidden="true">
        <Icon name={row.verdict === "unreadable" ? "warning" : "minus"} />
      </span>
    );
  }
  return <img class="thumbnail" src={row.thumbnail} alt="" width={96} height={96} loading="lazy" decoding="async" />;
}

function Further() {
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!end.current) return;
    const observer = new IntersectionObserver((seen) => seen[0]?.isIntersecting && void more(), { rootMargin: "600px" });
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [hasMore.value, rows.value.length]);
  if (!hasMore.value) return null;
  return (
    <div ref={end} class="further">
      <button type="button" class="button" onClick={() => void more()}>
        {loading.value ? "Loading…" : "Show more"}
      </button>
    </div>
  );
}

function Welcome() {
  return (
    <div class="welcome">
      <Icon name="upload" size={44} />
      <h2>{mayRead.value ? "Drop scans anywhere on this page" : "No findings yet"}</h2>
      <p>
        Pictures (PNG, JPEG), NIfTI volumes, DICOM files, or a zip of them. Each is compared with healthy scans; you see
        how unusual it is, and where.
      </p>
      {mayRead.value ? <PickFiles /> : <p class="small">Your role may look at findings, but not send scans.</p>}
      {mayRead.value && !about.value?.keeps_names && <p class="small">The files' own names stay in this browser.</p>}
    </div>
  );
}
