/** Studies that came by DICOM, and results on their way back. */

import { api } from "../api/client";
import { listen } from "../api/events";
import type { Delivery, Page, Study } from "../api/types";
import { useEffect, useState } from "preact/hooks";
import { Confirm } from "../parts/confirm";
import { useLoaded } from "../parts/loaded";
import { Failure } from "../parts/states";
import { about, mayManage, mayRead } from "../state/session";
import { fail, say } from "../state/toasts";
import { plural, size, when } from "../words";

/** What is asked for, its word, and what is said where there is none. */
const STATES = [
  ["dead", "Given up", "Nothing was given up: every result arrived, or is still tried."],
  ["pending&state=sending", "Waiting", "Nothing waits to be sent."],
  ["sent", "Sent", "Nothing was sent yet."],
] as const;

const RESULTS: [RegExp, string][] = [
  [/-seg\b/, "Segmentation (SEG)"],
  [/-sr\b/, "Report (SR)"],
  [/-sc\b/, "Pictures (SC)"],
];

function called(file: string): string {
  return RESULTS.find(([pattern]) => pattern.test(file))?.[1] ?? file.split("/").at(-1)!;
}

export function Exchange() {
  const node = about.value?.node;
  return (
    <div class="view">
      <header class="view-head">
        <h1>DICOM</h1>
      </header>
      <p class="intro">
        {node
          ? `Studies are received by C-STORE as ${node.ae_title} on port ${node.port}, and by STOW-RS. A study is judged when it is complete.`
          : "No C-STORE node is configured here; studies are received by STOW-RS."}
      </p>
      <Deliveries />
      <Studies />
    </div>
  );
}

function Deliveries() {
  const [state, setState] = useState<string>("dead");
  const list = useLoaded((signal) => api<Page<Delivery>>(`/deliveries?state=${state}&limit=100`, { signal }), [state]);
  useEffect(() => listen({ exchange: list.again, reset: list.again }), [list.again]);
  const again = async (ids: string[]) => {
    try {
      for (const id of ids) await api(`/deliveries/${id}/retry`, { method: "POST" });
      say(ids.length === 1 ? "It is sent again." : `${ids.length} are sent again.`);
    } catch (error) {
      fail(error);
    }
    list.again();
  };
  const dead = state === "dead" && mayRead.value ? (list.value?.items ?? []) : [];
  return (
    <section class="panel" aria-labelledby="deliveries">
      <h2 id="deliveries">Results to other systems</h2>
      <div class="chips" role="group" aria-label="State">
        {STATES.map(([value, word]) => (
          <button key={value} type="button" class="chip" aria-pressed={state === value} onClick={() => setState(value)}>
            {word}
          </button>
        ))}
        {dead.length > 1 && (
          <button type="button" class="button small" onClick={() => void again(dead.map((one) => one.id))}>
            Send all again
          </button>
        )}
      </div>
      {list.error && <Failure error={list.error} retry={list.again} />}
      {list.value?.items.length === 0 && (
        <p class="hint">{STATES.find(([value]) => value === state)?.[2]}</p>
      )}
      {list.value && list.value.items.length > 0 && (
        <Table heads={["Peer", "Result", "Tries", "Since", "Why", ""]} label="Deliveries">
          {list.value.items.map((one) => (
            <tr key={one.id}>
              <th scope="row">{one.peer}</th>
              <td>{one.finding ? <a href={`/findings/${one.finding}`}>{called(one.file)}</a> : called(one.file)}</td>
              <td>{one.attempts}</td>
              <td>{when(one.created)}</td>
              <td>{one.error ?? "–"}</td>
              <td>
                {one.state !== "sent" && mayRead.value && (
                  <button type="button" class="button small" onClick={() => void again([one.id])}>
                    Send again
                  </button>
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}

function Studies() {
  const list = useLoaded((signal) => api<Page<Study>>("/studies?limit=100", { signal }), []);
  useEffect(() => listen({ job: list.again, exchange: list.again, reset: list.again }), [list.again]);
  const [leaving, setLeaving] = useState<Study | null>(null);
  const forget = (study: Study) =>
    api(`/studies/${study.id}?whole=true`, { method: "DELETE" })
      .then(() => say("The study was forgotten, with all that was found of it."))
      .catch(fail)
      .then(list.again);
  return (
    <section class="panel" aria-labelledby="studies">
      <h2 id="studies">Studies</h2>
      {list.error && <Failure error={list.error} retry={list.again} />}
      {list.value?.items.length === 0 && <p class="hint">No study has come yet.</p>}
      {list.value && list.value.items.length > 0 && (
        <Table heads={["Study", "State", "From", "Instances", "Last", "", ""]} label="Studies">
          {list.value.items.map((one) => (
            <tr key={one.id}>
              <th scope="row">
                <code>{one.id.slice(0, 8)}</code>
              </th>
              <td>{one.error ? `${one.state}: ${one.error}` : one.state}</td>
              <td>{one.source ?? "–"}</td>
              <td>
                {plural(one.instances, "instance")}, {size(one.bytes)}
              </td>
              <td>{when(one.last)}</td>
              <td>
                <a href={`/?study=${one.id}`}>Findings</a>
              </td>
              <td>
                {mayManage.value && (
                  <button type="button" class="button small danger" onClick={() => setLeaving(one)}>
                    Forget all of it
                  </button>
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
      {leaving && (
        <Confirm
          title={`Forget all of study ${leaving.id.slice(0, 8)}?`}
          word="Forget all of it"
          onYes={() => void forget(leaving)}
          onClose={() => setLeaving(null)}
        >
          <p>
            Its {plural(leaving.instances, "instance")}, its jobs, all that was found of it and all that readers said of that
            are deleted from this server, and cannot be brought back. What was sent to other systems stays there.
          </p>
        </Confirm>
      )}
    </section>
  );
}

interface TableProps {
  heads: string[];
  label: string;
  children: preact.ComponentChildren;
}

export function Table({ heads, label, children }: TableProps) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead>
          <tr>
            {heads.map((head, place) =>
              head ? (
                <th key={place} scope="col">
                  {head}
                </th>
              ) : (
                <td key={place} />
              ),
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
