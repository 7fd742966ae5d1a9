"""Each task runs in a process of its own; what is finished is kept, and not run again."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from atypia.atomic import write_whole
from atypia.comparison.contestant import Contestant, Outcome
from atypia.errors import AtypiaError


class Task(Protocol):
    """The work on one contestant, and the folder where its outcome goes; it can be pickled."""

    @property
    def contestant(self) -> Contestant:
        """Whom it is about."""

    @property
    def out(self) -> Path:
        """The folder of its outcome."""

    def asked(self) -> dict[str, Any]:
        """Return all that the outcome depends on, as JSON values."""

    def finish(self, earlier: Outcome | None) -> Outcome:
        """Do the work, or what an earlier outcome lacks; raise what it raises."""

    def lacks(self, kept: Outcome) -> bool:
        """Tell whether an outcome that was kept is without something that is asked for now."""


def outcome_of(task: Task) -> Outcome:
    """Return what an earlier call found of this very task, else run it in a process of its own."""
    done, asked = task.out / "outcome.json", task.asked()
    kept = _finished_before(done, asked)
    if kept and not task.lacks(kept):
        return kept
    if not kept:
        done.unlink(missing_ok=True)
    code = _in_own_process(task)
    if kept and code != 0:
        return kept
    return _kept(done, asked) or Outcome(task.contestant.name, error=_death(code))


def _in_own_process(task: Task) -> int | None:
    """Run a task where its memory is its own and its death costs nothing else; return the exit code."""
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(task,))
    process.start()
    try:
        process.join()
    except BaseException:
        process.terminate()
        process.join()
        raise
    return process.exitcode


def _end_with_the_parent() -> None:
    """End this process where the one that started it was killed: nobody waits for the outcome."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        hint = " It was perhaps out of memory." if code == -9 else ""
        return f"Its process was ended by signal {-code}.{hint} Run the same command again to go on."
    return f"Its process ended with exit code {code}; what it printed says why. Run the same command again."


def _finished_before(done: Path, asked: Mapping[str, Any]) -> Outcome | None:
    """Return the outcome of an earlier call; what failed is tried again."""
    kept = _kept(done, asked)
    return kept if kept and kept.error is None else None


def _kept(done: Path, asked: Mapping[str, Any]) -> Outcome | None:
    """Return the outcome in this file, where it is one and answers what is asked."""
    try:
        kept = json.loads(done.read_text(encoding="utf-8"))
        return Outcome(**kept["outcome"]) if kept["asked"] == asked else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _run(task: Task) -> None:
    """Do the work and keep the outcome; in a process of its own."""
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    done, asked = task.out / "outcome.json", task.asked()
    earlier = _finished_before(done, asked)
    try:
        outcome = task.finish(earlier)
    except KeyboardInterrupt:
        sys.exit(130)
    except AtypiaError as error:
        outcome = earlier or Outcome(task.contestant.name, error=_without_folders(str(error)))
        print(f"{outcome.name}: {error}", file=sys.stderr, flush=True)
    write_whole(
        done, json.dumps({"asked": asked, "outcome": asdict(outcome)}, indent=1, allow_nan=False) + "\n"
    )


def _without_folders(message: str) -> str:
    """Return a message for the page: with the names of files, without the folders that lead to them.

    Most messages begin with the path that they are about; a path further on ends where a space does.
    """
    place, colon, rest = message.partition(": ")
    if colon and "/" in place and (place.startswith("/") or " " not in place):
        message = f"{Path(place).name}: {rest}"
    return re.sub(r"(?<![\w.:/<])/(?:[^\s/:]+/)+(?=[^\s/])", "", message)
