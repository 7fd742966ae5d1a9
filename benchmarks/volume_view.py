"""How long a volume takes to be looked at: from its result, and from a click, until its overlay is drawn.

    python benchmarks/volume_view.py VOLUME [--screener FILE] [--repeats 5] [--threads 2]

VOLUME is a NIfTI file. Each time a reader who waits at the worklist sends it from the page, and opens it as
soon as it is there; then the same finding is opened by its address, in a browser that knows nothing of it.
Drawn is two frames after the viewer says that it is ready. Chromium (/usr/bin/chromium) draws in software.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from serving import Server

CHROMIUM = "/usr/bin/chromium"
SOFTWARE_GL = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
SIZE = {"width": 1280, "height": 800}
PATIENCE = 180_000
TICK = os.sysconf("SC_CLK_TCK")
FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
NEW = "before => (document.querySelector('.finding a')?.getAttribute('href') ?? '') !== before"
Numbers = dict[str, float]


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("volume", type=Path)
    words.add_argument("--screener", type=Path)
    words.add_argument("--repeats", type=int, default=5)
    words.add_argument("--threads", type=int, default=2)
    given = words.parse_args()
    told = [given.screener] if given.screener else []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        server = Server(Path(folder) / "data", *told, "--threads", given.threads, "--workers", 1)
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(SOFTWARE_GL))
        every = [arrived(browser, server, given.volume) | cold(browser, server) for _ in range(given.repeats)]
        browser.close()
        server.end()
    for measured in every:
        print(" ".join(f"{name}: {value:.2f};" for name, value in measured.items()))
    print(f"medians of {given.repeats}; {os.getloadavg()[0]:.1f} processes wanted a processor at the end:")
    for name in every[0]:
        print(f"{name}: {statistics.median(one[name] for one in every):.2f}")


def arrived(browser: Browser, server: Server, volume: Path) -> Numbers:
    """Send a volume from the page, and open it as soon as it is listed."""
    with_page = browser.new_context(viewport=SIZE)
    page = with_page.new_page()
    page.goto(f"{server.url}/?kind=volume&sort=-created")
    page.wait_for_selector("h1")
    first = page.query_selector(".finding a")
    before = (first.get_attribute("href") if first else "") or ""
    page.set_input_files("[data-testid=files] >> nth=0", volume)
    page.wait_for_function(NEW, arg=before, timeout=PATIENCE)
    listed = time.time()
    address = str(page.get_attribute(".finding a >> nth=0", "href"))
    used = of_browser()
    page.click(".finding a >> nth=0")
    drawn(page)
    end = time.time()
    job = asked(server, f"/findings/{address.rpartition('/')[2]}")["job"]
    ended = datetime.fromisoformat(asked(server, f"/jobs/{job}")["ended"]).timestamp()
    took = {
        "result to listed, s": listed - ended,
        "click to drawn, s": end - listed,
        "result to drawn, s": end - ended,
        "of processors, from the click, s": of_browser() - used,
    }
    with_page.close()
    return took


def cold(browser: Browser, server: Server) -> Numbers:
    """Open the latest volume by its address, in a browser that has seen nothing of it."""
    finding = asked(server, "/findings?kind=volume&sort=-created&limit=1")["items"][0]["id"]
    context = browser.new_context(viewport=SIZE)
    page = context.new_page()
    begun, used = time.time(), of_browser()
    page.goto(f"{server.url}/findings/{finding}")
    drawn(page)
    took = {"by its address, s": time.time() - begun, "of processors, so, s": of_browser() - used}
    context.close()
    return took


def drawn(page: Page) -> None:
    page.wait_for_selector(".viewer[data-ready]", timeout=PATIENCE)
    page.evaluate(FRAMES)


def asked(server: Server, path: str) -> dict[str, Any]:
    answer = server.client.get(f"/api/v1{path}").raise_for_status().json()
    assert isinstance(answer, dict)
    return answer


def of_browser() -> float:
    """Return the seconds of processors that Chromium's processes below this one have used."""
    known = dict(processes())
    mine = {os.getpid()}
    while more := {pid for pid, (parent, _, _) in known.items() if parent in mine} - mine:
        mine |= more
    return sum(known[pid][2] for pid in mine if pid in known and "chrom" in known[pid][1])


def processes() -> Iterable[tuple[int, tuple[int, str, float]]]:
    """Yield each process with its parent, its name and the seconds of processors that it used."""
    for folder in folders():
        try:
            name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
        except OSError:  # it has ended
            continue
        words = rest.split()
        yield int(folder.name), (int(words[1]), name, (int(words[11]) + int(words[12])) / TICK)


def folders() -> Iterator[Path]:
    return (path for path in Path("/proc").iterdir() if path.name.isdigit())


if __name__ == "__main__":
    main()
