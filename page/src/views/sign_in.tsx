/** Who are you? A token, or another system that knows. */

import { useState } from "preact/hooks";
import { about, signIn, start, state } from "../state/session";
import { NOTICE } from "../words";

export function SignIn() {
  const [token, setToken] = useState("");
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const kinds = about.value?.auth.kinds ?? ["token"];
  if (state.value === "unreachable") {
    return (
      <main class="sign-in" id="content">
        <h1>Atypia reading room</h1>
        <p>The server cannot be reached.</p>
        <button type="button" class="button primary" onClick={() => void start()}>
          Try again
        </button>
        <p class="small">{NOTICE}</p>
      </main>
    );
  }
  const enter = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await signIn(token.trim());
    } catch (problem) {
      setError((problem as Error).message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="sign-in" id="content">
      <h1>Atypia reading room</h1>
      <form onSubmit={(event) => void enter(event)}>
        <label class="field">
          Token
          <input
            type="password"
            autofocus
            autocomplete="current-password"
            required
            value={token}
            aria-describedby={error ? "sign-in-error" : undefined}
            aria-invalid={error !== null}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        {error && (
          <p id="sign-in-error" class="field-error" role="alert">
            {error}
          </p>
        )}
        <button type="submit" class="button primary" disabled={busy || !token.trim()}>
          {busy ? "…" : "Sign in"}
        </button>
      </form>
      {kinds.includes("oidc") && (
        <p>
          <a class="button" href={`/api/v1/oidc/login?next=${encodeURIComponent(location.pathname)}`}>
            Sign in with your organisation
          </a>
        </p>
      )}
      <p class="small">{NOTICE}</p>
    </main>
  );
}
