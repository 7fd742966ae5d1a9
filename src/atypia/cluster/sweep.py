"""Fitting many Screeners side by side, each in a process of its own: one that fails costs itself alone.

[defaults]                    what every fit is given, unless its own table says otherwise
detector = "nearest"

[[fit]]                       one Screener: the scans, where it goes, and any options of 'atypia fit'
scans = ["site-a/healthy"]
out = "site-a.atypia"
seed = 3
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atypia.atomic import write_whole
from atypia.cluster.connection import Cluster, joined
from atypia.cluster.settings import Workers
from atypia.errors import BadOption
from atypia.parent import PATIENCE
from atypia.progress import progress
from atypia.scratch import Scratch

_KEYS = ("defaults", "fit")
_TOLD = 2000
_APART = (sys.executable, "-m", "atypia.cli.apart")


@dataclass(frozen=True)
class Fit:
    """One Screener of a sweep: the words that `atypia fit` takes but for its -o, and where it goes."""

    words: tuple[str, ...]
    out: Path

    @property
    def note(self) -> Path:
        """Where it is noted with which words, and which file, this was made."""
        return self.out.with_name(f"{self.out.name}.sweep.json")


@dataclass(frozen=True)
class Fitted:
    """What came of one: `code` is the exit code of its fit, None where it was there; `told` what it said."""

    fit: Fit
    code: int | None
    told: str = ""

    @property
    def failed(self) -> bool:
        """Whether there is no Screener: scans that were left out are no failure."""
        return self.code not in (None, 0, 1)


def read_sweep(recipe: Path) -> list[Fit]:
    """Return the fits of a recipe, whose paths start from its folder; raise BadOption where it is wrong."""
    try:
        tables = tomllib.loads(recipe.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadOption(f"{recipe}: expected a recipe in TOML, received: {error}.") from error
    fits, defaults = tables.get("fit", []), tables.get("defaults", {})
    if set(tables) - set(_KEYS) or not isinstance(fits, list) or not fits or not isinstance(defaults, dict):
        raise BadOption(
            f"{recipe}: expected tables [[fit]], one at least, and perhaps one [defaults]; received "
            f"{', '.join(tables) or 'none'}."
        )
    found = [_fit(recipe, number, {**defaults, **fit}) for number, fit in enumerate(fits, 1)]
    twice = {fit.out for fit in found if sum(fit.out == other.out for other in found) > 1}
    if twice:
        raise BadOption(f"{recipe}: expected another out for each fit, received {min(twice)} twice.")
    return found


def run_sweep(
    fits: Sequence[Fit], folder: Path, workers: Workers | None, threads: int | None
) -> Iterator[Fitted]:
    """Fit what is not there yet, below `folder`, and yield what came of each as it comes.

    Without `workers` one after the other on this machine, else as many at once as the cluster has room for.
    Each Screener comes back from its node and is written here. What has been made with the same words, and is
    the same file still, is not made again.
    """
    left = [fit for fit in fits if not _is_done(fit)]
    yield from (Fitted(fit, None) for fit in fits if fit not in left)
    shown = progress(range(len(left)), total=len(left), label="fitting", unit="Screener")
    for fit, (code, told, content) in _results(left, folder, workers, threads):
        next(shown, None)
        if content is not None:
            write_whole(fit.out, content)
            write_whole(fit.note, json.dumps({"words": fit.words, "sha256": _hash(content)}, indent=1) + "\n")
        yield Fitted(fit, code if content is not None or code else 6, told)


Result = tuple[int, str, bytes | None]


def fit_apart(words: Sequence[str], name: str, folder: str) -> Result:
    """Run `atypia fit` in a process of its own; return its exit code, the end of what it said, the file."""
    with Scratch() as scratch:
        out = Path(scratch, name)
        code, told = _run([*_APART, "fit", *words, "-o", str(out)], folder)
        content = out.read_bytes() if code in (0, 1) and out.is_file() else None
    return code, told[-_TOLD:], content


def _run(command: Sequence[str], folder: str) -> tuple[int, str]:
    """Run a command that ends with this process, or where this is left; return its code and what it said."""
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
        ) as process,
    ):
        try:
            code = process.wait()
        except BaseException:
            _end(process)
            raise
        said.seek(0)
        return code, said.read().decode("utf-8", "replace").strip()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Have a command end, and put away what it has begun."""
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


def _results(
    fits: Sequence[Fit], folder: Path, workers: Workers | None, threads: int | None
) -> Iterator[tuple[Fit, Result]]:
    if not fits:
        return
    bound = threads if workers is None else workers.threads_each
    more = () if bound is None else ("--threads", str(bound))

    def given(fit: Fit) -> tuple[list[str], str, str]:
        return [*fit.words, *more], fit.out.name, str(folder.absolute())

    if workers is None:
        yield from ((fit, fit_apart(*given(fit))) for fit in fits)  # in this thread: signals reach it
        return
    with joined(workers) as cluster:
        yield from _on_cluster(cluster, fits, workers, given)


def _on_cluster(
    cluster: Cluster, fits: Iterable[Fit], workers: Workers, given: Callable[[Fit], tuple[Any, ...]]
) -> Iterator[tuple[Fit, Result]]:
    ray = cluster.ray
    task = ray.remote(fit_apart).options(
        num_cpus=workers.cpus, num_gpus=workers.gpus, max_retries=3, scheduling_strategy="SPREAD"
    )
    waiting, flying = list(fits), dict[Any, Fit]()
    while waiting or flying:
        while waiting and len(flying) < (workers.count or len(waiting) + len(flying)):
            fit = waiting.pop(0)
            flying[task.remote(*given(fit))] = fit
        cluster.demand_alive()
        for reference in ray.wait(list(flying), timeout=1)[0]:
            fit = flying.pop(reference)
            try:
                came: Result = ray.get(reference)
            except ray.exceptions.RayError as error:
                came = (4, f"its worker died: {error}", None)
            yield fit, came


def _fit(recipe: Path, number: int, table: dict[str, Any]) -> Fit:
    where = f"{recipe}, fit {number}"
    scans, out = table.pop("scans", None), table.pop("out", None)
    scans = [scans] if isinstance(scans, str) else scans
    if not isinstance(scans, list) or not scans or not all(isinstance(one, str) for one in scans):
        raise BadOption(f"{where}: expected scans, a path or a list of paths, received {scans!r}.")
    if not isinstance(out, str) or not out:
        raise BadOption(f"{where}: expected out, the file of the Screener, received {out!r}.")
    words = [word for name, value in sorted(table.items()) for word in _words(where, name, value)]
    return Fit(
        (*words, "--", *scans) if any(one.startswith("-") for one in scans) else (*scans, *words),
        recipe.parent / out,
    )


def _words(where: str, name: str, value: object) -> list[str]:
    """Return an option as it is typed; `true` is a flag, and `false` its opposite."""
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [option if value else f"--no-{option[2:]}"]
    if isinstance(value, list):
        return [word for one in value for word in _words(where, name, one)]
    if isinstance(value, str | int | float):
        return [f"{option}={value}"]
    raise BadOption(f"{where}: expected a text, a number, true or false for {name}, received {value!r}.")


def _is_done(fit: Fit) -> bool:
    try:
        told = json.loads(fit.note.read_text(encoding="utf-8"))
        return bool(told["words"] == list(fit.words) and told["sha256"] == _hash(fit.out.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
