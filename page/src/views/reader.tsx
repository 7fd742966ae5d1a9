/** The reader: one finding in full, with the keyboard to go through all. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { signal } from "@preact/signals";
import type { Finding, Label, Review } from "../api/types";
import { Strip } from "../charts/strip";
import { Icon } from "../parts/icon";
import { listen } from "../api/events";
import { useLoaded } from "../parts/loaded";
import { Failure, Waiting } from "../parts/states";
import { ReviewMark, VerdictBadge } from "../parts/verdict";
import { go, path } from "../routing";
import { ahead, finding as fetched, label, neighbours, review, takeBack } from "../state/findings";
import { bind } from "../state/keys";
import { nameOf } from "../state/names";
import { askForAlike } from "../state/screeners";
import { mayRead } from "../state/session";
import { fail, say } from "../state/toasts";
import { addressOf, filters, hasMore, lastOpened, load, more, ready, rows, total } from "../state/worklist";
import { viewer } from "../viewer/handle";
import { address } from "../viewer/loading";
import { outlines, regionsTo, shown, stepOpacity } from "../viewer/look";
import { PictureViewer } from "../viewer/picture";
import { Toolbar } from "../viewer/toolbar";
import { VolumeViewer, type Planes } from "../viewer/volume";
import { Note } from "./note";
import { Side } from "./reader_side";

const noting = signal(false);
/** So many findings before the last that is known, those after it are asked for. */
const AHEAD = 5;

export function Reader({ id }: { id: string }) {
  const [opened, setOpened] = useState<Finding | null>(null);
  const loaded = useLoaded(() => fetched(id), [id]);
  const [selected, setSelected] = useState<number | null>(null);
  const [slice, setSlice] = useState<number | null>(null);
  const [round, setRound] = useState(0);
  const [planes, setPlanes] = useState<Planes>("all");
  // With another threshold it was decided again.
  useEffect(() => listen({ screener: loaded.again, reset: loaded.again }), [loaded.again]);

  useEffect(() => {
    if (loaded.value?.id === id) setOpened(loaded.value);
  }, [loaded.value, id]);
  useEffect(() => {
    if (!ready.value) void load();
    setSelected(null);
    setSlice(null);
    regionsTo.value = 1;
  }, [id]);
  // At once with what is drawn: the next key may lead back to the list.
  useLayoutEffect(() => void (lastOpened.value = id), [id]);

  const shownNow = opened?.id === id ? opened : null;
  const around = neighbours(id, shownNow);
  const nearEnd = around.place !== null && around.place >= rows.value.length - AHEAD;
  useEffect(() => {
    if (nearEnd && hasMore.value) void more();
  }, [nearEnd, hasMore.value, rows.value.length]);
  useEffect(() => {
    if (!shownNow) return;
    ahead(around.next);
    askForAlike(shownNow.screener);
  }, [shownNow?.id, around.next]);

  // Keys may come faster than the next finding is drawn: only what is shown is ever marked.
  const displayed = useRef<Finding | null>(null);
  displayed.current = shownNow;
  const marked = (): Finding | null => {
    if (!mayRead.value) {
      say("Your role may look, but not mark.", "failed");
      return null;
    }
    const now = displayed.current;
    if (now && path.value.endsWith(now.id)) return now;
    say("It is not shown yet, so nothing was marked.", "failed");
    return null;
  };
  const mark = (state: Review) => {
    const finding = marked();
    if (!finding) return;
    review(finding, state)
      .then((now) => setOpened((before) => (before?.id === finding.id ? { ...before, review: now } : before)))
      .catch(fail);
  };
  const to = (other: string | null) => other && go(`/findings/${other}`, { replace: true });
  const markAndGo = (state: Review) => {
    const finding = marked();
    if (!finding) return;
    // The same again would take it back: here it stays.
    if (finding.review !== state) mark(state);
    if (around.next) to(around.next);
    else say("That was the last one.");
  };
  const told = (what: Label, note = "") => {
    const finding = marked();
    if (finding) heard(label(finding, what, note));
  };
  const heard = (changed: Promise<Finding>) => {
    changed
      .then((now) => {
        setOpened((before) => (before?.id === now.id ? now : before));
        setRound((before) => before + 1);
      })
      .catch(fail);
  };
  const select = (rank: number | null) => {
    setSelected(rank);
    const region = shownNow?.regions.find((one) => one.rank === rank);
    if (region) viewer.value?.show(region);
  };

  useEffect(() => {
    return bind([
      { keys: ["j", "ArrowRight", "ArrowDown"], does: "Next finding", act: () => to(around.next) },
      { keys: ["k", "ArrowLeft", "ArrowUp"], does: "Previous finding", act: () => to(around.previous) },
      { keys: ["a"], does: "Accept the finding", act: () => mark("accepted") },
      { keys: ["x"], does: "Reject the finding", act: () => mark("rejected") },
      { keys: ["A"], does: "Accept, and go to the next", act: () => markAndGo("accepted") },
      { keys: ["X"], does: "Reject, and go to the next", act: () => markAndGo("rejected") },
      { keys: ["h"], does: "Really healthy", act: () => told("healthy") },
      { keys: ["b"], does: "Really abnormal", act: () => told("abnormal") },
      { keys: ["n"], does: "Write a note", act: () => mayRead.value && (noting.value = true) },
      { keys: ["o"], does: "Heat map on or off", act: () => (shown.value = !shown.value) },
      { keys: ["r"], does: "Outlines on or off", act: () => (outlines.value = !outlines.value) },
      { keys: ["["], does: "Less opaque", act: () => stepOpacity(-0.1) },
      { keys: ["]"], does: "More opaque", act: () => stepOpacity(0.1) },
      { keys: ["+", "="], does: "Larger", act: () => viewer.value?.zoom(1.4) },
      { keys: ["-"], does: "Smaller", act: () => viewer.value?.zoom(1 / 1.4) },
      { keys: ["0"], does: "Whole picture", act: () => viewer.value?.whole() },
      {
        keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"],
        does: "Go to a region",
        act: () => undefined,
      },
      { keys: ["u", "Escape"], does: "Back to the worklist", act: () => go(`/${addressOf(filters.value)}`) },
    ]);
  }, [shownNow, around.next, around.previous]);

  useEffect(() => {
    const digit = (event: KeyboardEvent) => {
      const rank = Number(event.key);
      if (event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement) return;
      if (shownNow?.regions.some((region) => region.rank === rank)) select(rank);
    };
    addEventListener("keydown", digit);
    return () => removeEventListener("keydown", digit);
  }, [shownNow]);

  if (loaded.error && loaded.value?.id !== id) {
    return (
      <div class="view">
        <Failure error={loaded.error} retry={loaded.again} />
        <a class="button" href="/">
          Back to the worklist
        </a>
      </div>
    );
  }
  const current = shownNow ?? opened;
  if (!current) return <Waiting what="the finding" />;
  const volume = current.kind === "volume";
  const visible = address(current, volume ? "scan.nii.gz" : "scan.png") !== null;
  return (
    <div class="reader" aria-busy={!shownNow}>
      <header class="reader-head">
        <a class="icon-button" href={`/${addressOf(filters.value)}`} aria-label="Back to the worklist (u)" title="Back to the worklist (u)">
          <Icon name="back" />
        </a>
        <h1>{nameOf(current)}</h1>
        <VerdictBadge verdict={current.verdict} />
        <ReviewMark review={current.review} />
        <span class="reader-place">
          {around.place !== null && total.value !== null && `${around.place + 1} of ${total.value}`}
        </span>
        <Step to={around.previous} icon="left" word="Previous (k)" />
        <Step to={around.next} icon="right" word="Next (j)" />
      </header>
      <section class="reader-view" aria-label="Picture">
        {visible ? (
          <>
            <Toolbar
              volume={volume}
              rare={volume ? (current.rarities?.length ?? 0) > 1 : address(current, "p.bin.gz") !== null}
              scale={current.heat_scale}
              regions={current.regions}
              planes={planes}
              onPlanes={setPlanes}
            />
            {volume ? (
              <VolumeViewer key={current.id} finding={current} planes={planes} selected={selected} onSlice={setSlice} />
            ) : (
              <PictureViewer finding={current} selected={selected} onSelect={setSelected} />
            )}
            {volume && current.slice_findings && current.slice_findings.length > 0 && (
              <Strip
                slices={current.slice_findings}
                threshold={current.threshold}
                current={slice}
                onGo={(index) => viewer.value?.slice?.(index)}
              />
            )}
          </>
        ) : (
          <div class="viewer">
            <p class="viewer-message">There is no picture of it to show.</p>
          </div>
        )}
      </section>
      <Side
        key={current.id}
        finding={current}
        selected={selected}
        onSelect={select}
        onReview={mark}
        onLabel={told}
        onNote={() => (noting.value = true)}
        onDecided={loaded.again}
        onTakeBack={(feedback) => heard(takeBack(current, feedback))}
        round={round}
      />
      {noting.value && <Note finding={current.id} onClose={() => (noting.value = false)} onGiven={told} />}
    </div>
  );
}

function Step({ to, icon, word }: { to: string | null; icon: "left" | "right"; word: string }) {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={word}
      title={word}
      disabled={!to}
      onClick={() => to && go(`/findings/${to}`, { replace: true })}
    >
      <Icon name={icon} />
    </button>
  );
}
