"""All checks, in the order in which one would look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from atypia.doctor import installation, machine, sample, weights
from atypia.doctor.check import Check, problem
from atypia.errors import AtypiaError
from atypia.pretrained import NAMES, pretrained_path
from atypia.screener import Screener


def examine(file: Path | None = None, out: Path | None = None) -> Iterator[Check]:
    """Yield what each look finds, at the installation and at the Screener in `file`, else the one shipped.

    A look that fails is a problem by itself, and the next ones go on. `out` is a folder that results are to
    be written to. No scan is read, and nothing leaves the machine.
    """
    yield from _guarded("Python", installation.python)
    yield from _guarded("libraries", installation.libraries)
    yield from _guarded("optional parts", installation.extras)
    yield from _guarded("runtimes", machine.runtimes)
    yield from _guarded("telemetry", machine.telemetry)
    yield from _guarded("machine", machine.resources)
    yield from _guarded("clock", machine.clock)
    yield from _guarded("writing", lambda: machine.writing(out))
    yield from _guarded("weights", weights.shipped)
    yield from _guarded("Screener", lambda: _of_screener(file))


def _of_screener(file: Path | None) -> Iterator[Check]:
    path = pretrained_path(NAMES[0]) if file is None else file
    run = sample.run(path)
    yield from sample.loaded(run, path)
    yield from _guarded("scores", lambda: sample.repeated(run))
    yield from _guarded("stored scores", lambda: sample.as_stored(run, shipped=file is None))
    yield from _guarded("parity", lambda: sample.parity(run))
    yield from _guarded("promise", lambda: _promise(run.screener))
    yield from _guarded("speed", lambda: sample.speed(run))


def _promise(screener: Screener) -> Iterable[Check]:
    from atypia.doctor.promise import promise

    assert screener.threshold_ is not None  # a saved one has it
    return promise(screener.threshold_)


def _guarded(name: str, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """Yield what a look finds; where it fails, that: an examination never ends half-way."""
    try:
        yield from look()
    except AtypiaError as error:
        yield problem(name, str(error))
    except Exception as error:
        yield problem(name, f"the look itself failed ({error!r}). Install Atypia anew, or report this.")
