"""Bad files of every kind, uploaded one by one: refused in words, or judged with a row for each."""

from __future__ import annotations

import importlib
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atypia.pretrained import pretrained_path
from atypia.service import intake
from atypia.service.store import queue
from atypia.service.store.models import File, Finding, Job
from atypia.service.work.worker import Worker

TOOLS = Path(__file__).resolve().parents[3] / "tools"


@pytest.fixture(scope="module")
def corpus(draw_heads: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        patch.setattr("sys.dont_write_bytecode", True)
        parts = [importlib.import_module(f"bad_corpus.{name}") for name in ("pictures", "volumes", "dicom")]
        kept = importlib.import_module("bad_corpus.corpus").Corpus
        listed = importlib.import_module("bad_corpus.listed")
    heads, _ = draw_heads(12, size=48)
    made = kept(tmp_path_factory.mktemp("bad") / "corpus", np.uint8(255 * heads), 0, bombs=False)
    for part in parts:
        part.make(made)
    listed.make(made, pretrained_path("synthetic").read_bytes())
    yield made
    subprocess.run(["rm", "-rf", str(made.root)], check=True)


def files_of(corpus: Any) -> list[Path]:
    """Every third case, all archives, tables and Screeners; of a series each file."""
    scans = [corpus.scans / case.place for case in corpus.of("scans")[::3]]
    others = [corpus.root / case.part / case.place for case in corpus.of("archives", "tables", "screeners")]
    below = [[path] if path.is_file() else sorted(path.rglob("*")) for path in (*scans, *others)]
    return [file for part in below for file in part if file.is_file()]


def accepted(settings, home, file: Path):
    """What is accepted of a file, or why it is refused."""
    try:
        return intake.accept(settings, home, [file.read_bytes()], file.name)
    except intake.Refused as error:
        return error


def test_each_is_refused_in_words_or_gives_a_row(corpus, settings, home, store, screener) -> None:
    taken, refused = [], 0
    for number, file in enumerate(files_of(corpus)):
        one = accepted(settings, home, file)
        if isinstance(one, intake.Refused):
            assert one.status in (413, 415, 422), (file, one)
            assert str(corpus.root) not in f"{one.title} {one.detail}"
            refused += 1
            continue
        if one.kind == "archive":
            continue  # its entries are judged in tests of their own
        taken.append(File(index=number, kind=one.kind, sha256=one.sha256, bytes=one.size, suffix=one.suffix))
    assert len(taken) > 150
    assert refused > 60
    with store.write() as session:
        for number, one in enumerate(taken):
            one.index = 0
            job = Job(kind="upload", screener=screener.id, files=[one], total=1, label=f"upload {number}")
            queue.enqueue(session, job)
    Worker(settings, store, home).drain()
    with store.session() as session:
        jobs, rows = session.query(Job).all(), session.query(Finding).all()
        assert {job.state for job in jobs} == {"done"}, {job.error for job in jobs}
        assert {row.job for row in rows} == {job.id for job in jobs}
        bad = [row.error for row in rows if row.verdict == "unreadable"]
    assert len(bad) > 80
    assert all("expected" in error and str(home.path) not in error for error in bad)
    assert not list(home.tmp.iterdir())
