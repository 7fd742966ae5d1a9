"""Check the licences of all that is installed, built in or shipped against the list in tools/licences.toml.

    python tools/check_licences.py           # a line for each group, and what is wrong; then it exits with 1
    python tools/check_licences.py --list    # a line for each package as well

Read are the metadata of the installed packages, the lock of the page, the notices beside the built page, and
the files in the package; nothing is asked of a network. What a wheel bundles (OpenBLAS in numpy, for one) is
told by its own metadata or not at all.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from importlib.metadata import Distribution
from pathlib import Path

from dependencies import (
    LICENCES,
    ROOT,
    Package,
    groups_of,
    installed,
    on_request,
    read_bundled,
    read_packages,
    read_pins,
    shipped_files,
)
from license_expression import AND, OR, ExpressionError, get_spdx_licensing
from packaging.utils import canonicalize_name

SPDX = get_spdx_licensing()


def is_allowed(expression: str) -> bool:
    """Return whether an SPDX expression asks for nothing beyond the allowed licences.

    >>> is_allowed("Apache-2.0 AND MIT"), is_allowed("GPL-2.0-only OR MIT"), is_allowed("MPL-2.0 AND MIT")
    (True, True, False)
    """
    try:
        return _allowed(SPDX.parse(expression))
    except ExpressionError:
        return False


def _allowed(node: object) -> bool:
    if isinstance(node, AND):
        return all(_allowed(part) for part in node.args)
    if isinstance(node, OR):
        return any(_allowed(part) for part in node.args)
    return str(node) in LICENCES["allowed"]


def licence_of(found: Distribution) -> str | None:
    """Return the SPDX expression of an installed package, or None if it tells nothing that we know.

    The first that says something: our own reading, the SPDX expression, the field License, classifiers.
    """
    name, told = canonicalize_name(found.name), found.metadata
    if name in LICENCES["read"]:
        return str(LICENCES["read"][name])
    if told.get("License-Expression"):
        return str(told["License-Expression"])
    field = (told.get("License") or "").strip()
    if known := _spelt(field):
        return known
    classified = [line for line in told.get_all("Classifier", []) if line.startswith("License ::")]
    spelt = [_spelt(line) for line in classified]
    return " AND ".join(sorted(known for known in spelt if known)) if spelt and all(spelt) else None


def _spelt(text: str) -> str | None:
    if text in LICENCES["spellings"]:
        return str(LICENCES["spellings"][text])
    try:
        unknown = SPDX.unknown_license_keys(text) if 0 < len(text) < 60 else [text]
    except ExpressionError:
        return None
    return None if unknown else text


def check_python() -> tuple[dict[str, tuple[str, set[str]]], list[str]]:
    """Return licence and groups of each pinned package, and what is wrong."""
    here, pins, wrong = installed(), read_pins(), []
    groups = groups_of({pin.name for pin in pins})
    told: dict[str, tuple[str, set[str]]] = {}
    for pin in pins:
        licence = licence_of(here[pin.name]) if pin.name in here else LICENCES["elsewhere"].get(pin.name)
        if pin.name not in here and pin.is_for_here and pin.name not in on_request():
            wrong.append(f"{pin.name} is pinned for this Python, but not installed: uv sync, then try again.")
        elif not licence:
            wrong.append(
                f"{pin.name} {pin.version} tells no licence that is known: see [spellings] and [read]."
            )
        else:
            told[pin.name] = licence, groups[pin.name]
    return told, wrong + [
        line for name, (licence, found) in told.items() for line in judge(name, licence, found)
    ]


def judge(name: str, licence: str, groups: set[str]) -> list[str]:
    """Return what is wrong with a Python package: nothing, or one sentence."""
    exception = LICENCES["exceptions"].get(name)
    if is_allowed(licence):
        return [f"{name} is {licence}, which is allowed: take its exception out."] if exception else []
    if exception is None:
        return [f"{name} is {licence}, which is not allowed, in {', '.join(sorted(groups))}."]
    if exception["licence"] != licence:
        return [f"{name} is {licence}; its exception is for {exception['licence']}."]
    beyond = groups - set(exception["groups"])
    return [f"{name} is {licence}; its exception is not for {', '.join(sorted(beyond))}."] if beyond else []


def check_page() -> tuple[list[Package], list[str]]:
    """Return the npm packages of the page, and what is wrong with them or with what was built."""
    packages, bundled = read_packages(), read_bundled()
    locked = {(package.name, package.version) for package in packages}
    wrong = [
        f"{name} {version} is in the page, but not in its lock: cd page && npm ci && npm run build."
        for name, version in bundled
        if (name, version) not in locked
    ]
    wrong += [f"{n} {v} is in the page: {told}." for (n, v), told in bundled.items() if not is_allowed(told)]
    return packages, wrong + [line for package in packages for line in _judge_package(package, bundled)]


def _judge_package(package: Package, bundled: dict[tuple[str, str], str]) -> list[str]:
    if package.licence and is_allowed(package.licence):
        return []
    family = [name for name in LICENCES["page"] if f"{package.name}-".startswith(f"{name}-")]
    excused = [LICENCES["page"][name] for name in family]
    if not any(exception["licence"] == package.licence for exception in excused):
        return [f"{package.name} {package.version} is {package.licence}, which is not allowed."]
    if not package.development or (package.name, package.version) in bundled:
        return [f"{package.name} {package.version} is {package.licence}, and more than a tool of the build."]
    return []


def check_files() -> tuple[int, list[str]]:
    """Return how many files of the package are no Python source, and what is wrong with them."""
    notice, wrong, count = (ROOT / "NOTICE").read_text(encoding="utf-8"), [], 0
    for path, told in shipped_files():
        count, name = count + 1, path.relative_to(ROOT).as_posix()
        if not told:
            wrong.append(
                f"{name} is shipped, but [shipped] in tools/licences.toml does not tell its licence."
            )
        elif not is_allowed(told["licence"]):
            wrong.append(f"{name} is {told['licence']}, which is not allowed in the package.")
        elif told.get("notice") and not _named_in(notice, path):
            wrong.append(f"{name} holds the work of others, and NOTICE does not name it.")
    return count, wrong


def _named_in(notice: str, path: Path) -> bool:
    inside = path.relative_to(ROOT)
    if inside.as_posix() in notice:
        return True
    return any(re.search(rf"{re.escape(folder.as_posix())}/(?!\w)", notice) for folder in inside.parents)


def main() -> int:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--list", action="store_true", help="a line for each package as well")
    listing = parser.parse_args().list
    (python, first), (packages, second), (files, third) = check_python(), check_page(), check_files()
    if listing:
        for name, (licence, found) in sorted(python.items()):
            print(f"{name:28} {licence:40} {', '.join(sorted(found))}")
        for package in packages:
            use = "build" if package.development else "page"
            print(f"{package.name:48} {package.licence or '':20} {use}")
    for group in sorted({group for _, found in python.values() for group in found}):
        counted = Counter(licence for licence, found in python.values() if group in found)
        print(f"{group}: " + ", ".join(f"{licence} {count}" for licence, count in counted.most_common()))
    print(f"page: {len(packages)} npm packages, {len(read_bundled())} of them in what is built")
    print(f"package: {files} files that are no Python source")
    wrong = first + second + third
    print("\n".join(wrong) or "Nothing is wrong.", file=sys.stderr if wrong else sys.stdout)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
