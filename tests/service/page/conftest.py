"""A server with a worker on loopback, and a browser that looks at its page."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

from atypia.datasets.phantom import write_phantom
from atypia.pretrained import pretrained_path
from atypia.service import access
from atypia.service.api.app import create_app
from atypia.service.home import Home
from atypia.service.settings import Settings
from atypia.service.store import screeners
from atypia.service.store.database import Store
from atypia.service.work.worker import Worker

CHROMIUM = Path("/usr/bin/chromium")
PAGE = Path(__file__).parents[3] / "page"
AXE = "axe-core/axe.min.js"
SOFTWARE_GL = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
PATIENCE = 20_000
WIDE = {"viewport": {"width": 1280, "height": 800}}

api = pytest.importorskip("playwright.sync_api", reason="no Playwright here: pip install playwright")


@dataclass(frozen=True)
class Room:
    """A running server: where it is, and its database."""

    address: str
    store: Store

    def get(self, path: str) -> Any:
        """Return what the API answers."""
        with urllib.request.urlopen(f"{self.address}/api/v1{path}", timeout=10) as answer:
            return json.load(answer)

    def findings(self) -> list[dict[str, Any]]:
        """Return the rows of the worklist."""
        return list(self.get("/findings")["items"])


@contextmanager
def serving(folder: Path, file: Path, told: dict[str, Any] | None = None) -> Iterator[Room]:
    """Run a server with a Screener and a worker in threads of this process."""
    home = Home(folder)
    home.make()
    store = Store(None, home)
    store.migrate()
    sha256, told = screeners.keep(home, file), told or screeners.describe(file)
    with store.write() as session:
        screeners.register(session, sha256, told, name=file.stem, size=file.stat().st_size)
    settings = Settings(data=folder, workers=1, threads=1, port=0)
    awake, worker = threading.Event(), Worker(settings, store, home, threads=1)

    def work() -> None:
        while not worker.stop.is_set():
            worker.drain()
            awake.wait(0.2)
            awake.clear()

    app = create_app(settings, store, home, awake.set)
    config = uvicorn.Config(app, "127.0.0.1", 0, log_config=None, timeout_graceful_shutdown=2)
    for name, value in access.server_options(settings).items():
        setattr(config, name, value)
    server = uvicorn.Server(config)
    threads = [threading.Thread(target=server.run, daemon=True), threading.Thread(target=work, daemon=True)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(200):
            if server.started:
                break
            threads[0].join(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Room(f"http://127.0.0.1:{port}", store)
    finally:
        app.state.serving.hub.stop()
        server.should_exit = True
        worker.stop.set()
        for thread in threads:
            thread.join(10)
        store.close()


@pytest.fixture(scope="module")
def open_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Room]]:
    """`open_room(file, told=None)` starts a server with a Screener, which runs until a file's tests end."""
    with ExitStack() as stack:
        yield lambda *args: stack.enter_context(serving(tmp_path_factory.mktemp("room") / "data", *args))


@pytest.fixture(scope="module")
def room(open_room: Callable[..., Room]) -> Room:
    """A server with the embedded Screener, the same for all tests of a file."""
    return open_room(pretrained_path("synthetic"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium; for a module alone, since it keeps an event loop running in this thread."""
    if not CHROMIUM.exists():
        pytest.skip("no Chromium here: apt-get install chromium")
    with api.sync_playwright() as play:
        made = play.chromium.launch(executable_path=str(CHROMIUM), args=list(SOFTWARE_GL))
        yield made
        made.close()


@pytest.fixture(scope="module")
def kept() -> Any:
    """What a module's pages share of a browser, as its cache; None where each has its own."""
    return None


@pytest.fixture
def look(browser: Any, kept: Any) -> Iterator[Callable[..., Any]]:
    """`look(address, **options)` opens a page; with `options` never in what others share.

    At the end no page has said an error, broken the content-security-policy, or asked another machine for
    anything.
    """
    said: list[str] = []
    ending: list[Any] = []

    def opened(address: str, **options: Any) -> Any:
        context = kept if kept is not None and not options else browser.new_context(**(WIDE | options))
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        ending.append(page if context is kept else context)
        home = address.split("/", 3)[2]
        page.on("console", lambda message: message.type == "error" and said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: _is_away(request.url, home) and said.append(f"asks {request.url}"))
        page.goto(address)
        page.said = said
        return page

    yield opened
    for one in ending:
        one.close()
    assert said == []


def _is_away(address: str, home: str) -> bool:
    return address.startswith("http") and address.split("/", 3)[2] != home


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Files of four phantoms with tumours that are found and two without, called so as no server may know."""
    folder = tmp_path_factory.mktemp("scans")
    write_phantom(folder / "phantom", healthy=2, abnormal=8, seed=3, jobs=1)
    found = sorted(folder.glob("phantom/abnormal/*.png"))[4:] + sorted(folder.glob("phantom/healthy/*.png"))
    return [str(file.rename(folder / f"Doe^Jane-{number:02}.png")) for number, file in enumerate(found)]


@pytest.fixture(scope="session")
def volume(draw_heads: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A NIfTI file of 24 slices of heads, the last half with a lesion."""
    import nibabel

    healthy, _ = draw_heads(1, size=32, seed=5)
    lesion, _ = draw_heads(1, size=32, seed=5, lesion=0.9)
    slices = np.stack([healthy[0]] * 12 + [lesion[0]] * 12)
    grid = np.float32(np.transpose(slices[:, ::-1], (2, 1, 0)))
    path = tmp_path_factory.mktemp("volume") / "head.nii.gz"
    nibabel.save(nibabel.Nifti1Image(grid, np.diag([5.0, 5.0, 6.0, 1.0])), path)
    return str(path)


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe: from page/node_modules, else the version of page/package-lock.json, by npm."""
    there = PAGE / "node_modules" / AXE
    if not there.exists():
        there = _fetched("axe-core", tmp_path_factory.mktemp("axe")) / AXE
    return there.read_text(encoding="utf-8")


def _fetched(name: str, folder: Path) -> Path:
    """Let npm fetch one package as it is locked, whose hash npm checks; skip where it cannot."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"no {name} here, and no npm to fetch it")
    try:
        locked = json.loads((PAGE / "package-lock.json").read_text(encoding="utf-8"))
    except OSError:
        pytest.skip("the page's sources are in the repository alone")
    held = locked["packages"][f"node_modules/{name}"]
    root = {"name": "one", "version": "0.0.0", "dependencies": {name: held["version"]}}
    one = {key: held[key] for key in ("version", "integrity")}
    packages = {"": root, f"node_modules/{name}": one}
    lock = {"name": "one", "version": "0.0.0", "lockfileVersion": 3, "packages": packages}
    (folder / "package.json").write_text(json.dumps(root))
    (folder / "package-lock.json").write_text(json.dumps(lock))
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm does not reach {name}")
    if done.returncode:
        assert "EINTEGRITY" not in done.stderr, done.stderr
        pytest.skip(f"npm is too old, or does not reach {name}")
    return folder / "node_modules"


@pytest.fixture(scope="session")
def violations(axe: str) -> Callable[[Any], list[str]]:
    """`violations(page)` gives what axe finds seriously wrong with what a page shows."""

    def find(page: Any) -> list[str]:
        page.evaluate(axe + "; undefined")
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']}: {node['html'][:160]}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    return find
