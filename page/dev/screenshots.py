"""Take the pictures of docs/images: the page on phantoms, as a browser shows it.

    .venv/bin/python page/dev/screenshots.py docs/images

It starts `atypia serve` in a folder of its own, and needs the extras 'serve', 'demo' and 'dev', and Chromium.
"""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from atypia.datasets.phantom import write_phantom
from atypia.datasets.phantom.template import load_template

CHROMIUM = "/usr/bin/chromium"
WIDE: ViewportSize = {"width": 1280, "height": 800}
NARROW: ViewportSize = {"width": 390, "height": 800}
SOFTWARE_GL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
PATIENCE = 200_000
COLOURS = 256


def main(out: Path) -> None:
    """Write reading-room-*.png into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        files = [*_pictures(folder / "scans"), _volume(folder / "volume.nii.gz")]
        with _server(folder / "data") as address, sync_playwright() as play:
            browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *SOFTWARE_GL])
            _take(browser, address, files, out)
            browser.close()


def _take(browser: Browser, address: str, files: list[Path], out: Path) -> None:
    # Waiting for a condition evaluates it in the page, which the policy of its content forbids.
    context = browser.new_context(viewport=WIDE, color_scheme="dark", device_scale_factor=1, bypass_csp=True)
    page = context.new_page()
    page.goto(address)
    page.set_input_files("[data-testid=files] >> nth=0", files)
    page.wait_for_selector(f".finding >> nth={len(files) - 1}", timeout=PATIENCE)
    page.locator(".work").first.wait_for(state="detached", timeout=PATIENCE)
    page.wait_for_function(
        "[...document.querySelectorAll('img.thumbnail')].slice(0, 8).every((one) => one.naturalWidth)"
    )
    page.wait_for_timeout(500)
    _save(page, out / "reading-room-worklist.png")
    _await_alike(address)
    page.reload()
    page.click(".finding.abnormal:not(:has-text('volume')) >> nth=1")
    page.wait_for_selector(".viewer[data-ready]")
    page.wait_for_selector(".alike img")
    page.wait_for_timeout(800)
    _save(page, out / "reading-room-reader.png")
    page.set_viewport_size(NARROW)
    page.emulate_media(color_scheme="light")
    page.wait_for_timeout(500)
    _save(page, out / "reading-room-narrow.png")
    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="dark")
    page.goto(f"{address}/?kind=volume")
    page.click(".finding >> nth=0")
    page.wait_for_selector(".viewer[data-ready]", timeout=PATIENCE)
    page.wait_for_timeout(2500)
    _save(page, out / "reading-room-volume.png")
    context.close()


def _await_alike(address: str) -> None:
    """Wait until the server has healthy scans to show beside others."""
    for _ in range(PATIENCE // 1000):
        with urllib.request.urlopen(f"{address}/api/v1/screeners", timeout=10) as answer:
            if json.load(answer)[0]["has_alike"]:
                return
        time.sleep(1)


def _save(page: Page, path: Path) -> None:
    """Save what is shown, in a table of colours that keeps it small."""
    shown = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shown.quantize(COLOURS, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


def _pictures(folder: Path) -> Iterator[Path]:
    """Phantoms under names that do not tell which of them are healthy."""
    write_phantom(folder, healthy=14, abnormal=8, seed=3)
    found = sorted(folder.glob("healthy/*.png")) + sorted(folder.glob("abnormal/*.png"))
    for number, place in enumerate(np.random.default_rng(0).permutation(len(found)), 1):
        yield found[place].rename(folder / f"scan-{number:02d}.png")


def _volume(path: Path) -> Path:
    """The template as a T1 volume of 240 x 240 x 155 voxels at most, with a lesion and noise."""
    template = load_template()
    rng = np.random.default_rng(0)
    t1 = (template.packed & 255).astype(np.float32) / 150
    x, y, z = np.meshgrid(*(np.arange(side) for side in t1.shape), indexing="ij", sparse=True)
    place = np.array(t1.shape) * (0.66, 0.56, 0.55)
    far = np.sqrt(sum(((axis - at) / 15) ** 2 for axis, at in zip((x, y, z), place, strict=True)))
    lesion = 1 / (1 + np.exp(8 * (far - 1)))
    t1 = t1 * (1 - 0.75 * lesion * (t1 > 0.2)) + 0.02 * rng.standard_normal(t1.shape) * (t1 > 0.02)
    affine = np.eye(4)
    affine[:3, 3] = template.origin
    nibabel.save(nibabel.Nifti1Image(np.int16(1000 * t1.clip(0)), affine), path)
    return path


@contextmanager
def _server(data: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "atypia",
        "serve",
        "--data",
        str(data),
        "--port",
        str(port),
        "--log-level",
        "error",
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/readyz", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(20)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
