/** What the scan really is, with a note. */

import { useEffect, useState } from "preact/hooks";
import type { Label } from "../api/types";
import { Dialog } from "../parts/dialog";
import { feedbackOf } from "../state/findings";
import { user } from "../state/session";

interface Props {
  finding: string;
  onClose: () => void;
  onGiven: (label: Label, note: string) => void;
}

const LABELS: [Label, string][] = [
  ["healthy", "Really healthy"],
  ["abnormal", "Really abnormal"],
  ["unsure", "Not sure"],
];
const LONGEST = 2000;

export function Note({ finding, onClose, onGiven }: Props) {
  const [label, setLabel] = useState<Label>("unsure");
  const [note, setNote] = useState("");
  useEffect(() => {
    // What was said before is forgotten with what is said now, so one goes on from it.
    feedbackOf(finding)
      .then((said) => {
        const last = said.filter((one) => one.by === user.value?.name).at(-1);
        if (!last) return;
        setLabel(last.label);
        setNote((typed) => typed || last.note || "");
      })
      .catch(() => undefined);
  }, [finding]);
  const give = (event: Event) => {
    event.preventDefault();
    onGiven(label, note.trim());
    onClose();
  };
  return (
    <Dialog title="Note" onClose={onClose}>
      <form onSubmit={give}>
        <fieldset class="radios">
          <legend>This scan is</legend>
          {LABELS.map(([value, word]) => (
            <label key={value}>
              <input type="radio" name="label" checked={label === value} onChange={() => setLabel(value)} /> {word}
            </label>
          ))}
        </fieldset>
        <label class="field">
          Note
          <textarea
            autofocus
            rows={4}
            maxLength={LONGEST}
            value={note}
            onInput={(event) => setNote(event.currentTarget.value)}
          />
          <small>It is stored and exported with your feedback. Write nothing that tells who the patient is.</small>
        </label>
        <p class="dialog-actions">
          <button type="submit" class="button primary">
            Save
          </button>
        </p>
      </form>
    </Dialog>
  );
}
