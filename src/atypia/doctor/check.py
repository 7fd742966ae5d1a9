"""What one look at an installation found."""

from __future__ import annotations

from dataclasses import dataclass

OK, NOTE, PROBLEM = "ok", "note", "problem"


@dataclass(frozen=True)
class Check:
    """A `state` out of OK, NOTE and PROBLEM, the `name` of what was looked at, and what was found.

    What is `told` of a problem says what to do.
    """

    name: str
    state: str
    told: str


def ok(name: str, told: str) -> Check:
    """Return a check that found all as it should be."""
    return Check(name, OK, told)


def note(name: str, told: str) -> Check:
    """Return a check that found something to know of."""
    return Check(name, NOTE, told)


def problem(name: str, told: str) -> Check:
    """Return a check that found something to mend."""
    return Check(name, PROBLEM, told)
