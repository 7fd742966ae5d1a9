/** Who may come in, and who did what: for administrators. */

import { useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import type { Deed, Page, Role, Token } from "../api/types";
import { Confirm } from "../parts/confirm";
import { Dialog } from "../parts/dialog";
import { Icon } from "../parts/icon";
import { useLoaded } from "../parts/loaded";
import { Failure } from "../parts/states";
import { leaveIfAsked, stay } from "../state/session";
import { fail, say } from "../state/toasts";
import { when } from "../words";
import { Table } from "./exchange";

export function Access() {
  return (
    <div class="view">
      <header class="view-head">
        <h1>Access</h1>
      </header>
      <Tokens />
      <Audit />
    </div>
  );
}

function Tokens() {
  const list = useLoaded((signal) => api<Page<Token>>("/tokens", { signal }), []);
  const [adding, setAdding] = useState(false);
  const [revoking, setRevoking] = useState<Token | null>(null);
  const [made, setMade] = useState<string | null>(null);
  useEffect(() => leaveIfAsked, []);
  const closeMade = () => {
    setMade(null);
    leaveIfAsked();
    list.again();
  };
  const revoke = async (token: Token) => {
    try {
      await api(`/tokens/${token.id}`, { method: "DELETE" });
      say(`${token.name} may not come in any more.`);
      list.again();
    } catch (error) {
      fail(error);
    }
  };
  return (
    <section class="panel" aria-labelledby="tokens">
      <header class="panel-head">
        <h2 id="tokens">Tokens</h2>
        <button type="button" class="button small" onClick={() => setAdding(true)}>
          <Icon name="plus" size={16} /> New token
        </button>
      </header>
      {list.error && <Failure error={list.error} retry={list.again} />}
      {list.value?.items.length === 0 && <p class="hint">There are none.</p>}
      {list.value && list.value.items.length > 0 && (
        <Table heads={["Name", "Role", "Made", "Expires", "Last used", ""]} label="Tokens">
          {list.value.items.map((token) => (
            <tr key={token.id}>
              <th scope="row">{token.name}</th>
              <td>{token.role}</td>
              <td>{when(token.created)}</td>
              <td>{token.expires ? when(token.expires) : "never"}</td>
              <td>{token.last_used ? when(token.last_used) : "never"}</td>
              <td>
                {token.revoked ? (
                  "revoked"
                ) : (
                  <button type="button" class="button small danger" onClick={() => setRevoking(token)}>
                    Revoke
                  </button>
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
      {adding && (
        <NewToken
          onClose={() => setAdding(false)}
          onMade={(secret) => {
            setAdding(false);
            setMade(secret);
          }}
        />
      )}
      {made && (
        <Dialog title="The new token" onClose={closeMade}>
          <p>It is shown only now. Keep it as you keep a password.</p>
          <p class="secret">
            <code>{made}</code>
          </p>
          <Copy text={made} />
        </Dialog>
      )}
      {revoking && (
        <Confirm title={`Revoke the token of ${revoking.name}?`} word="Revoke" onYes={() => void revoke(revoking)} onClose={() => setRevoking(null)}>
          <p>Whoever uses it is signed out, and cannot come in with it any more.</p>
        </Confirm>
      )}
    </section>
  );
}

/** Browsers let a page write to the clipboard on this machine and by HTTPS alone. */
function Copy({ text }: { text: string }) {
  if (!isSecureContext) return null;
  const copy = () => navigator.clipboard.writeText(text).then(() => say("Copied."), fail);
  return (
    <p class="dialog-actions">
      <button type="button" class="button" onClick={() => void copy()}>
        Copy
      </button>
    </p>
  );
}

function NewToken({ onClose, onMade }: { onClose: () => void; onMade: (secret: string) => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("reader");
  const [days, setDays] = useState("90");
  const make = async (event: Event) => {
    event.preventDefault();
    try {
      const json = { name: name.trim(), role, days: days ? Number(days) : null };
      stay();
      onMade((await api<{ token: string }>("/tokens", { method: "POST", json })).token);
    } catch (error) {
      leaveIfAsked();
      fail(error);
    }
  };
  return (
    <Dialog title="New token" onClose={onClose}>
      <form onSubmit={(event) => void make(event)}>
        <label class="field">
          For whom, or what
          <input type="text" autofocus required maxLength={100} value={name} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <label class="field">
          Role
          <select value={role} onChange={(event) => setRole(event.currentTarget.value as Role)}>
            <option value="viewer">viewer: sees</option>
            <option value="reader">reader: sends scans and reviews</option>
            <option value="admin">admin: manages Screeners and tokens too</option>
          </select>
        </label>
        <label class="field">
          Days until it expires
          <input type="number" min={1} max={3650} value={days} placeholder="never" onInput={(event) => setDays(event.currentTarget.value)} />
        </label>
        <p class="dialog-actions">
          <button type="submit" class="button primary" disabled={!name.trim()}>
            Make it
          </button>
        </p>
      </form>
    </Dialog>
  );
}

function Audit() {
  const [deeds, setDeeds] = useState<Deed[]>([]);
  const [next, setNext] = useState<string | null>(null);
  const first = useLoaded(async (signal) => {
    const page = await api<Page<Deed>>("/audit?limit=50", { signal });
    setDeeds(page.items);
    setNext(page.next);
  }, []);
  const more = async () => {
    try {
      const page = await api<Page<Deed>>(`/audit?limit=50&cursor=${encodeURIComponent(next ?? "")}`);
      setDeeds([...deeds, ...page.items]);
      setNext(page.next);
    } catch (error) {
      fail(error);
    }
  };
  return (
    <section class="panel" aria-labelledby="audit">
      <header class="panel-head">
        <h2 id="audit">Who did what</h2>
        <a class="button small" href="/api/v1/audit.csv" download>
          <Icon name="download" size={16} /> As a table
        </a>
      </header>
      {first.error && <Failure error={first.error} retry={first.again} />}
      {deeds.length > 0 && (
        <Table heads={["When", "Who", "Role", "What", "Of", "Answer"]} label="Audit log">
          {deeds.map((deed) => (
            <tr key={deed.id}>
              <td>{when(deed.at)}</td>
              <th scope="row">{deed.who}</th>
              <td>{deed.role}</td>
              <td>{deed.action}</td>
              <td>{deed.subject ? <code>{deed.subject.slice(0, 8)}</code> : "–"}</td>
              <td>{deed.status ?? "–"}</td>
            </tr>
          ))}
        </Table>
      )}
      {next && (
        <p class="row">
          <button type="button" class="button small" onClick={() => void more()}>
            Show more
          </button>
        </p>
      )}
    </section>
  );
}
