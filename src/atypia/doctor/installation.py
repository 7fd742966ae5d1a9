"""Versions of Python and of the libraries, and which optional parts are there."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from atypia.doctor.check import Check, note, ok, problem

OLDEST, NEWEST = (3, 11), (3, 13)
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")
_FLOOR = re.compile(r">=\s*([0-9.]+)")


def python() -> Iterator[Check]:
    """Tell which Python this is."""
    told = (
        f"{platform.python_version()} on {platform.system()} {platform.machine()}, Atypia {version('atypia')}"
    )
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        yield ok("Python", told)
    else:
        yield problem("Python", f"{told}; use Python 3.{OLDEST[1]} to 3.{NEWEST[1]}.")


def libraries() -> Iterator[Check]:
    """Tell the versions of what Atypia needs, and which are missing or too old."""
    found, wrong = [], []
    for requirement in _needed().get("", []):
        name, has = _name(requirement), _version(_name(requirement))
        found.append(f"{name} {has}")
        if has is None or _older(has, requirement):
            wrong.append(requirement.partition(";")[0].strip())
    if wrong:
        quoted = " ".join(f'"{one}"' for one in wrong)
        yield problem("libraries", f"missing or too old. Install them with: pip install {quoted}")
    else:
        yield ok("libraries", ", ".join(found))


def extras() -> Iterator[Check]:
    """Tell which optional parts are installed, and how to get the others."""
    here: list[str] = []
    lacking: list[str] = []
    for extra, needed in _needed().items():
        if extra:
            (here if all(_version(_name(one)) for one in needed) else lacking).append(extra)
    if here:
        yield ok("optional parts", f"{', '.join(here)} installed")
    if lacking:
        names = ",".join(lacking)
        yield note(
            "optional parts",
            f'not installed: {", ".join(lacking)}. To get them: pip install "atypia[{names}]"',
        )


def _needed() -> dict[str, list[str]]:
    """Return the requirements of each extra, of the base under the empty name; those of this system alone."""
    needed: dict[str, list[str]] = {}
    for requirement in requires("atypia") or []:
        what, _, marker = requirement.partition(";")
        if _elsewhere(marker):
            continue
        extra = _EXTRA.search(marker)
        needed.setdefault(extra[1] if extra else "", []).append(what.strip())
    return needed


def _elsewhere(marker: str) -> bool:
    """Tell whether a requirement is of other systems: those of TensorFlow alone are parted so."""
    linux = sys.platform == "linux" and platform.machine() == "x86_64"
    return ("!= 'linux'" in marker or '!= "linux"' in marker) if linux else "== " in _EXTRA.sub("", marker)


def _name(requirement: str) -> str:
    found = _NAME.match(requirement)
    return found[0] if found else requirement


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        # A build for GPUs has another name and the same module.
        return version("onnxruntime-gpu") if package == "onnxruntime" and _has("onnxruntime-gpu") else None


def _has(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _older(has: str, requirement: str) -> bool:
    floor = _FLOOR.search(requirement)
    return floor is not None and _numbers(has) < _numbers(floor[1])


def _numbers(text: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with.

    >>> _numbers("1.32.0rc1"), _numbers("2.20") < _numbers("2.21.0")
    ((1, 32), True)
    """
    parts = []
    for part in text.split("."):
        if not part.isdecimal():
            break
        parts.append(int(part))
    return tuple(parts)
