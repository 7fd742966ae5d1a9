/** What stands where something is not there: yet, or because it went wrong. */

import type { ComponentChildren } from "preact";
import { Icon } from "./icon";

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Failure({ error, retry }: { error: Error; retry?: () => void }) {
  return (
    <div class="failure" role="alert">
      <Icon name="warning" />
      <p>{error.message}</p>
      {retry && (
        <button type="button" class="button" onClick={retry}>
          <Icon name="again" /> Try again
        </button>
      )}
    </div>
  );
}

export function Waiting({ what }: { what: string }) {
  return (
    <p class="loading" role="status">
      Loading {what}…
    </p>
  );
}
