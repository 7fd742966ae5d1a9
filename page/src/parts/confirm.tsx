/** A question before what cannot be undone. */

import type { ComponentChildren } from "preact";
import { Dialog } from "./dialog";

interface Props {
  title: string;
  /** What the button that goes on says. */
  word: string;
  onYes: () => void;
  onClose: () => void;
  children: ComponentChildren;
}

export function Confirm({ title, word, onYes, onClose, children }: Props) {
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      <p class="dialog-actions">
        <button type="button" class="button" onClick={onClose}>
          Leave it
        </button>
        <button
          type="button"
          class="button danger"
          onClick={() => {
            onClose();
            onYes();
          }}
        >
          {word}
        </button>
      </p>
    </Dialog>
  );
}
