/** The page: its head, what is shown below it, and what is there everywhere. */

import { useEffect, useRef } from "preact/hooks";
import { signal } from "@preact/signals";
import { lost } from "./api/events";
import { Dialog } from "./parts/dialog";
import { DropZone } from "./parts/drop_zone";
import { Icon } from "./parts/icon";
import { Empty } from "./parts/states";
import { Toasts } from "./parts/toasts";
import { path } from "./routing";
import { followJobs, running } from "./state/jobs";
import { bind, bound } from "./state/keys";
import { loadScreeners } from "./state/screeners";
import { about, mayManage, signOut, state, user } from "./state/session";
import { nextTheme, theme } from "./state/theme";
import { fail } from "./state/toasts";
import { uploads } from "./state/uploads";
import { Access } from "./views/access";
import { DriftPage } from "./views/drift";
import { Exchange } from "./views/exchange";
import { Reader } from "./views/reader";
import { ScreenerPage, Screeners } from "./views/screeners";
import { SignIn } from "./views/sign_in";
import { Worklist } from "./views/worklist";
import { NOTICE, plural } from "./words";

const help = signal(false);

export function App() {
  if (state.value === "starting") return <p class="before">{NOTICE}</p>;
  if (state.value !== "in") {
    return (
      <>
        <SignIn />
        <Toasts />
      </>
    );
  }
  return <Room />;
}

function Room() {
  useEffect(() => {
    loadScreeners().catch(fail);
    const stop = followJobs();
    const unbind = bind([{ keys: ["?"], does: "Show these keys", act: () => (help.value = true) }]);
    return () => {
      stop();
      unbind();
    };
  }, []);
  const reading = path.value.startsWith("/findings/");
  useEffect(() => {
    document.title = `${title(path.value)} · Atypia reading room`;
  }, [path.value]);
  return (
    <div class={reading ? "room reading" : "room"}>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <Head />
      {lost.value && (
        <p class="lost" role="alert">
          The server does not answer. What is shown may be old; the page goes on by itself when it is back.
        </p>
      )}
      <main id="content" tabIndex={-1}>
        <View />
      </main>
      <footer class="foot">
        <span>Atypia {about.value?.version}</span>
        <button type="button" class="link" onClick={() => (help.value = true)}>
          <Icon name="keyboard" size={16} /> Keys
        </button>
      </footer>
      <DropZone />
      <Toasts />
      {help.value && <Keys />}
    </div>
  );
}

function View() {
  const [, first, second] = path.value.split("/");
  if (!first) return <Worklist />;
  if (first === "findings" && second) return <Reader id={second} />;
  if (first === "screeners") return second ? <ScreenerPage key={second} id={second} /> : <Screeners />;
  if (first === "drift") return <DriftPage />;
  if (first === "dicom") return <Exchange />;
  if (first === "access" && mayManage.value) return <Access />;
  if (first === "access") {
    return (
      <Empty title="This is for administrators">
        <p>You are here as a {user.value?.role}. Sign in with an administrator's token to see who may come in.</p>
      </Empty>
    );
  }
  return (
    <Empty title="There is nothing at this address">
      <a class="button" href="/">
        To the worklist
      </a>
    </Empty>
  );
}

const PLACES: [string, string][] = [
  ["/", "Worklist"],
  ["/screeners", "Screeners"],
  ["/drift", "Drift"],
  ["/dicom", "DICOM"],
];

function title(at: string): string {
  if (at.startsWith("/findings/")) return "Finding";
  return [...PLACES, ["/access", "Access"]].find(([place]) => place !== "/" && at.startsWith(place!))?.[1] ?? "Worklist";
}

function Head() {
  const places = mayManage.value ? [...PLACES, ["/access", "Access"] as [string, string]] : PLACES;
  const at = path.value.startsWith("/findings/") ? "/" : path.value;
  const busy = running.value.length + uploads.value.filter((upload) => upload.state !== "failed").length;
  const nav = useRef<HTMLElement>(null);
  useEffect(() => nav.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }), [at]);
  return (
    <header class="head">
      <p class="notice" role="note">
        {NOTICE}
      </p>
      <div class="head-line">
        <a class="brand" href="/">
          <img src="/icon.svg" alt="" width={26} height={26} />
          <span>
            Atypia <small>reading room</small>
          </span>
        </a>
        <nav ref={nav} aria-label="Main">
          {places.map(([place, word]) => {
            const here = place === "/" ? at === "/" : at.startsWith(place);
            return (
              <a key={place} href={place} aria-current={here ? "page" : undefined}>
                {word}
              </a>
            );
          })}
        </nav>
        {busy > 0 && (
          <a class="busy" href="/" title="Uploads and jobs">
            <span class="spinner" aria-hidden="true" /> {plural(busy, "job")}
          </a>
        )}
        <button
          type="button"
          class="icon-button"
          aria-label={`Colours: ${theme.value === "system" ? "as the system" : theme.value}`}
          title={`Colours: ${theme.value === "system" ? "as the system" : theme.value}`}
          onClick={nextTheme}
        >
          <Icon name={theme.value} />
        </button>
        {about.value?.auth.required && (
          <>
            <span class="who">
              {user.value?.name} <small>{user.value?.role}</small>
            </span>
            <button type="button" class="button small" onClick={() => void signOut()}>
              Sign out
            </button>
          </>
        )}
      </div>
    </header>
  );
}

const NAMES: Record<string, string> = { ArrowRight: "→", ArrowLeft: "←", ArrowDown: "↓", ArrowUp: "↑", Escape: "Esc" };

function Keys() {
  return (
    <Dialog title="Keys" onClose={() => (help.value = false)}>
      <dl class="keys">
        {bound().map((key) => (
          <div key={key.does}>
            <dt>
              {(key.keys.length > 6 ? [`${key.keys[0]} – ${key.keys.at(-1)}`] : key.keys.filter((one) => one !== "=")).map((one) => (
                <kbd key={one}>{NAMES[one] ?? one}</kbd>
              ))}
            </dt>
            <dd>{key.does}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
