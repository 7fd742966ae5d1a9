"""Studies made of drawn heads, a node that takes them on loopback, and senders."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from atypia.service.home import Home
from atypia.service.node.provider import Provider
from atypia.service.node.recording import Recorder
from atypia.service.node.settings import NodeSettings
from atypia.service.store.database import Store
from tests.service.slices import image


@pytest.fixture(scope="session", autouse=True)
def own_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests from the user's key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATYPIA_KEY", str(tmp_path_factory.mktemp("key") / "group.key"))
        yield


@pytest.fixture(scope="session")
def write_study(draw_heads: Callable[..., tuple[np.ndarray, np.ndarray]]) -> Callable[..., list[Path]]:
    """`write_study(folder, count=8, seed=0, study=None, edit=...)` writes a series of one study."""

    def write(
        folder: Path,
        count: int = 8,
        seed: int = 0,
        study: str | None = None,
        edit: Callable[[Dataset, int], None] = lambda _data, _index: None,
        size: int = 32,
    ) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        heads, _ = draw_heads(count, size=size, seed=seed)
        study, series = study or generate_uid(), generate_uid()
        written = []
        for index, pixels in enumerate(heads):
            data = image(pixels, index, study, series)
            edit(data, index)
            data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
            data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
            written.append(folder / f"{series.rpartition('.')[2]}-{index:04}.dcm")
            pydicom.dcmwrite(written[-1], data, enforce_file_format=True)
        return written

    return write


@dataclass(frozen=True)
class Running:
    """A provider that listens on loopback, with what it writes to."""

    provider: Provider
    recorder: Recorder
    store: Store
    home: Home

    @property
    def port(self) -> int:
        return self.provider.port

    def stored(self) -> list[Path]:
        return sorted(self.home.studies.rglob("*.dcm"))

    def left_over(self) -> list[Path]:
        return list(self.home.tmp.iterdir())


@pytest.fixture
def provide(home: Home, store: Store) -> Iterator[Callable[..., Running]]:
    """`provide(**settings)` starts a provider; all are stopped in the end."""
    started: list[Running] = []

    def start(**given: Any) -> Running:
        settings = replace(NodeSettings(), port=0, **given)
        recorder = Recorder(store, home, settings)
        started.append(Running(Provider(settings, home, recorder), recorder, store, home))
        return started[-1]

    yield start
    for one in started:
        one.provider.stop()
        one.recorder.stop()


def send(
    port: int, files: Sequence[Path | Dataset], *, title: str = "SENDER", called: str = "ATYPIA"
) -> list[int]:
    """Send files over one association; return the status of each, -1 where there is no answer."""
    from pynetdicom import AE

    data = [pydicom.dcmread(one) if isinstance(one, Path) else one for one in files]
    entity = AE(title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 10
    for kind, syntax in sorted({(one.SOPClassUID, one.file_meta.TransferSyntaxUID) for one in data}):
        entity.add_requested_context(kind, syntax)
    association = entity.associate("127.0.0.1", port, ae_title=called)
    if not association.is_established:
        return [-1] * len(data)
    try:
        return [association.send_c_store(one).get("Status", -1) for one in data]
    finally:
        association.release()


@pytest.fixture(name="send", scope="session")
def _send() -> Callable[..., list[int]]:
    return send


@pytest.fixture
def connect() -> Iterator[Callable[[int], socket.socket]]:
    """`connect(port)` opens a bare connection; all are closed in the end."""
    opened: list[socket.socket] = []

    def open_one(port: int) -> socket.socket:
        opened.append(socket.create_connection(("127.0.0.1", port), timeout=10))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def ended(connection: socket.socket) -> bool:
    """Tell whether the other side ends a connection, whatever it says before."""
    try:
        while connection.recv(4096):
            pass
    except (ConnectionError, BrokenPipeError):
        return True
    except TimeoutError:
        return False
    return True


@pytest.fixture(name="ended", scope="session")
def _ended() -> Callable[[socket.socket], bool]:
    return ended
