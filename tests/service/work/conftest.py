"""Scans of all kinds as uploads, and a worker that judges them in this process."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import nibabel
import numpy as np
import pytest
from pydicom.uid import generate_uid
from sqlalchemy import select

from atypia.service.home import Home
from atypia.service.intake import accept
from atypia.service.settings import Settings
from atypia.service.store import queue
from atypia.service.store.database import Store
from atypia.service.store.models import File, Finding, Job, Screener
from atypia.service.work.worker import Worker
from tests.service.slices import PLANTED, encoded, image


@pytest.fixture(scope="session", autouse=True)
def own_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests from the user's key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATYPIA_KEY", str(tmp_path_factory.mktemp("key") / "group.key"))
        yield


class Desk:
    """What a client and a worker do, in short."""

    def __init__(self, settings: Settings, store: Store, home: Home, screener: Screener) -> None:
        self.settings, self.store, self.home, self.screener = settings, store, home, screener

    def send(self, *contents: bytes, name: str | None = None, **options: Any) -> str:
        """Enqueue one job of these files, and return its identifier."""
        files = []
        for index, content in enumerate(contents):
            taken = accept(self.settings, self.home, io.BytesIO(content), "")
            told = {"sha256": taken.sha256, "suffix": taken.suffix, "bytes": taken.size}
            files.append(File(index=index, kind=taken.kind, name=name, **told))
        return self.enqueue(kind="upload", files=files, options=options)

    def enqueue(self, **values: Any) -> str:
        with self.store.write() as session:
            job = queue.enqueue(session, Job(screener=self.screener.id, label="upload 1234", **values))
        return job.id

    def worker(self, **settings: Any) -> Worker:
        from dataclasses import replace

        return Worker(replace(self.settings, **settings), self.store, self.home)

    def job(self, job: str) -> Job:
        with self.store.session() as session:
            return session.get_one(Job, job)

    def findings(self, job: str) -> list[Finding]:
        with self.store.session() as session:
            return list(session.scalars(select(Finding).where(Finding.job == job).order_by(Finding.index)))

    def judged(self, job: str, **settings: Any) -> list[Finding]:
        """Judge all that waits, and return the findings of a job that must have gone well."""
        self.worker(**settings).drain()
        ended = self.job(job)
        assert ended.state == "done", ended.error
        return self.findings(job)

    def folders(self) -> set[str]:
        return {path.name for path in self.home.all_findings.iterdir()}


@pytest.fixture
def desk(settings: Settings, store: Store, home: Home, screener: Screener) -> Desk:
    return Desk(settings, store, home, screener)


@pytest.fixture(scope="session")
def volume(draw_heads: Callable[..., tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Twelve axial slices (32, 32, 12) of 12 bits, from left to right and back to front."""
    heads, _ = draw_heads(12, size=32, seed=5)
    return np.ascontiguousarray(np.uint16(4000 * heads).transpose(2, 1, 0)[::-1, ::-1])


@pytest.fixture(scope="session")
def nifti(volume: np.ndarray) -> bytes:
    import gzip

    image = nibabel.Nifti1Image(volume.astype(np.int16), np.diag([5.0, 5.0, 8.0, 1.0]))
    return gzip.compress(image.to_bytes(), 1, mtime=0)


@pytest.fixture(scope="session")
def dicom(volume: np.ndarray) -> list[bytes]:
    """The same as a DICOM series, a file for each slice, with a patient's name."""
    study, series = generate_uid(), generate_uid()
    return [dicom_image(volume[:, :, index].T[::-1, ::-1], index, study, series) for index in range(12)]


def dicom_image(pixels: np.ndarray | None, index: int, study: str, series: str) -> bytes:
    return encoded(image(pixels, index, study, series, thickness=8.0))


@pytest.fixture(scope="session")
def without_pixels() -> bytes:
    return dicom_image(None, 0, generate_uid(), generate_uid())


@pytest.fixture(scope="session")
def planted() -> tuple[str, ...]:
    """What must not be told of the patient of the series."""
    return tuple(PLANTED.values())
