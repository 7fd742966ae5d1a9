/** Short messages in a corner. */

import { dismiss, spoken, toasts } from "../state/toasts";
import { Icon } from "./icon";

export function Toasts() {
  return (
    <>
      <div class="toasts" aria-live="polite">
        {toasts.value.map((toast) => (
          <div key={toast.id} class={`toast ${toast.kind}`}>
            <Icon name={toast.kind === "done" ? "check" : "warning"} />
            <p>{toast.text}</p>
            <button type="button" class="icon-button" aria-label="Dismiss" onClick={() => dismiss(toast.id)}>
              <Icon name="cross" size={14} />
            </button>
          </div>
        ))}
      </div>
      <p class="unseen" role="status">
        {spoken}
      </p>
    </>
  );
}
