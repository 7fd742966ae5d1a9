/** The Screeners of this server. */

import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../api/client";
import { listen } from "../api/events";
import type { Screener } from "../api/types";
import { Confirm } from "../parts/confirm";
import { Dialog } from "../parts/dialog";
import { Icon } from "../parts/icon";
import { useLoaded } from "../parts/loaded";
import { Empty, Failure, Waiting } from "../parts/states";
import { ThresholdChart } from "../parts/threshold";
import { go } from "../routing";
import { healthyOf, loadScreeners, screeners } from "../state/screeners";
import { about, mayManage } from "../state/session";
import { fail, say } from "../state/toasts";
import { figure, plural, size, when } from "../words";

export function Screeners() {
  const loaded = useLoaded(loadScreeners, []);
  const [retired, setRetired] = useState(false);
  const shown = screeners.value.filter((one) => retired || !one.retired);
  const hidden = screeners.value.length - shown.length;
  return (
    <div class="view">
      <header class="view-head">
        <h1>Screeners</h1>
        {mayManage.value && <Add />}
      </header>
      <p class="intro">A Screener has learned what healthy scans look like, and says of others how far they depart from that.</p>
      {loaded.error && <Failure error={loaded.error} retry={loaded.again} />}
      {shown.length === 0 && !loaded.error && <Empty title="No Screeners yet" />}
      <div class="cards">
        {shown.map((one) => (
          <a key={one.id} class="card" href={`/screeners/${one.id}`}>
            <h2>
              {one.name} {one.default && <span class="tag">default</span>}
              {one.retired && <span class="tag quiet">retired</span>}
            </h2>
            <p>{one.guarantee}</p>
            <p class="hint">
              {one.detector} · {plural(one.findings, "finding")} · threshold {figure(one.threshold)}
            </p>
          </a>
        ))}
      </div>
      {(hidden > 0 || retired) && (
        <button type="button" class="link" onClick={() => setRetired(!retired)}>
          {retired ? "Hide retired ones" : `Show ${hidden} retired`}
        </button>
      )}
    </div>
  );
}

function Add() {
  const input = useRef<HTMLInputElement>(null);
  const [busy, setBusy] = useState(false);
  const [asked, setAsked] = useState(false);
  const signed = about.value?.requires_signature;
  const chosen = () => {
    const file = input.current?.files?.[0];
    if (!file || !input.current) return;
    input.current.value = "";
    void add(file);
  };
  const add = async (file: File, signature?: File) => {
    const body = new FormData();
    body.append("file", file, file.name);
    if (signature) body.append("signature", signature, signature.name);
    setBusy(true);
    try {
      const added = await api<Screener>("/screeners", { method: "POST", body });
      await loadScreeners();
      say(`${added.name} is ready.`);
    } catch (error) {
      fail(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      {!signed && <input ref={input} type="file" accept=".atypia" hidden onChange={chosen} />}
      <button type="button" class="button primary" disabled={busy} onClick={() => (signed ? setAsked(true) : input.current?.click())}>
        <Icon name="upload" /> {busy ? "Checking…" : "Add a Screener"}
      </button>
      {asked && <AddSigned onChosen={(file, signature) => void add(file, signature)} onClose={() => setAsked(false)} />}
    </>
  );
}

/** Asks for the file of a Screener and for its signature, where the server takes none without. */
function AddSigned({ onChosen, onClose }: { onChosen: (file: File, signature: File) => void; onClose: () => void }) {
  const [file, setFile] = useState<File | null>(null);
  const [signature, setSignature] = useState<File | null>(null);
  const take = (event: Event) => {
    event.preventDefault();
    if (!file || !signature) return;
    onClose();
    onChosen(file, signature);
  };
  return (
    <Dialog title="Add a signed Screener" onClose={onClose}>
      <form onSubmit={take}>
        <p>This server uses Screeners alone that its key has signed.</p>
        <label class="field">
          Screener
          <input type="file" accept=".atypia" required onChange={(event) => setFile(event.currentTarget.files?.[0] ?? null)} />
          <small>The .atypia file that “atypia fit” saved.</small>
        </label>
        <label class="field">
          Signature
          <input type="file" accept=".minisig" required onChange={(event) => setSignature(event.currentTarget.files?.[0] ?? null)} />
          <small>The .minisig file that “atypia sign” wrote beside it.</small>
        </label>
        <p class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Leave it
          </button>
          <button type="submit" class="button primary" disabled={!file || !signature}>
            Add it
          </button>
        </p>
      </form>
    </Dialog>
  );
}

function healthyScans({ healthy_count: count, groups }: Screener): string {
  if (!count) return "–";
  return groups && groups < count ? `${count.toLocaleString("en-GB")} of ${plural(groups, "patient")}` : count.toLocaleString("en-GB");
}

export function ScreenerPage({ id }: { id: string }) {
  const one = useLoaded((signal) => api<Screener>(`/screeners/${id}`, { signal }), [id]);
  const healthy = useLoaded(() => healthyOf(id), [id, one.value?.threshold]);
  useEffect(() => {
    if (screeners.value.length === 0) loadScreeners().catch(fail);
  }, []);
  useEffect(() => listen({ screener: one.again }), [one.again]);
  if (one.error) {
    return (
      <div class="view narrow">
        <Failure error={one.error} retry={one.again} />
        <a class="button" href="/screeners">
          To the Screeners
        </a>
      </div>
    );
  }
  if (!one.value) return <Waiting what="the Screener" />;
  const screener = one.value;
  return (
    <div class="view narrow">
      <header class="view-head">
        <a class="icon-button" href="/screeners" aria-label="Back to the Screeners">
          <Icon name="back" />
        </a>
        <h1>{screener.name}</h1>
        {screener.default && <span class="tag">default</span>}
        {screener.retired && <span class="tag quiet">retired</span>}
      </header>
      <p class="lead">{screener.guarantee}</p>
      {healthy.value && (
        <section class="panel" aria-labelledby="threshold">
          <h2 id="threshold">Threshold among {plural(healthy.value.count, "healthy scan")}</h2>
          <ThresholdChart screener={id} healthy={healthy.value} onChanged={(now) => (now === id ? one.again() : go(`/screeners/${now}`, { replace: true }))} />
        </section>
      )}
      <section class="panel" aria-labelledby="facts">
        <h2 id="facts">Facts</h2>
        <dl class="facts">
          <Fact word="Detector">{screener.detector}</Fact>
          <Fact word="Rule">
            {screener.rule} {figure(screener.parameter)}
          </Fact>
          <Fact word="Threshold">{figure(screener.threshold)}</Fact>
          <Fact word="Healthy scans">{healthyScans(screener)}</Fact>
          <Fact word="Planes">{screener.planes?.join(", ") || "any"}</Fact>
          <Fact word="Findings">{screener.findings.toLocaleString("en-GB")}</Fact>
          <Fact word="Made with Atypia">{screener.version}</Fact>
          <Fact word="Here since">{when(screener.created)}</Fact>
          {screener.bytes ? <Fact word="File">{size(screener.bytes)}</Fact> : null}
          <Fact word="SHA-256">
            <code>{screener.sha256}</code>
          </Fact>
        </dl>
        <p class="row">
          <a class="button" href={`/api/v1/screeners/${id}/card.html`} target="_blank" rel="noopener">
            Model card
          </a>
          <a class="button" href={`/?screener=${id}`}>
            Its findings
          </a>
          <a class="button" href={`/drift?screener=${id}`}>
            Drift
          </a>
          <a class="button" href={`/api/v1/feedback.csv?screener=${id}`} download>
            Feedback as a table
          </a>
        </p>
      </section>
      {mayManage.value && <Manage screener={screener} again={one.again} />}
    </div>
  );
}

function Fact({ word, children }: { word: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{word}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Manage({ screener, again }: { screener: Screener; again: () => void }) {
  const change = (json: Partial<Screener>, told: string) =>
    api(`/screeners/${screener.id}`, { method: "PUT", json })
      .then(() => say(told))
      .then(loadScreeners)
      .then(again)
      .catch(fail);
  const remove = () =>
    api(`/screeners/${screener.id}`, { method: "DELETE" })
      .then(() => go("/screeners", { replace: true }))
      .then(() => say(`${screener.name} was deleted.`))
      .then(loadScreeners)
      .catch(fail);
  const [asked, setAsked] = useState(false);
  const [name, setName] = useState(screener.name);
  return (
    <section class="panel" aria-labelledby="manage">
      <h2 id="manage">Manage</h2>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          void change({ name: name.trim() }, "Renamed.");
        }}
      >
        <label class="field inline">
          Name
          <input type="text" required maxLength={200} value={name} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <button type="submit" class="button" disabled={!name.trim() || name === screener.name}>
          Rename
        </button>
      </form>
      <p class="row">
        {!screener.default && !screener.retired && (
          <button type="button" class="button" onClick={() => void change({ default: true }, "It is the default now.")}>
            Make it the default
          </button>
        )}
        {!screener.default && (
          <button
            type="button"
            class="button"
            onClick={() => void change({ retired: !screener.retired }, screener.retired ? "It is in use again." : "It was retired.")}
          >
            {screener.retired ? "Use it again" : "Retire it"}
          </button>
        )}
        {!screener.default && (
          <button type="button" class="button danger" onClick={() => setAsked(true)}>
            Delete it
          </button>
        )}
      </p>
      {screener.default && <p class="hint">The default one cannot be retired or deleted: make another one the default first.</p>}
      {asked && (
        <Confirm title={`Delete ${screener.name}?`} word="Delete it" onYes={() => void remove()} onClose={() => setAsked(false)}>
          <p>Its file is deleted from this server. A Screener that findings are of is kept: retire it instead.</p>
        </Confirm>
      )}
    </section>
  );
}
