"""The targets of fuzzing, without the fuzzer: each seed, a few changes of it, and what fuzzing once found.

What was found has a test beside what it was found in too; here it goes the whole way.
"""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
CHANGES = 2

if not (ROOT / "fuzz").is_dir():
    pytest.skip("not a clone: the fuzzing targets are not in what is handed out", allow_module_level=True)


def names() -> list[str]:
    told = re.search(r"^TARGETS = \((.+)\)$", (ROOT / "fuzz" / "__main__.py").read_text(), re.MULTILINE)
    assert told is not None
    return re.findall(r'"(\w+)"', told[1])


@pytest.fixture(scope="module", autouse=True)
def on_the_path() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        yield
    rooms = sys.modules.get("fuzz.service")
    if rooms is not None:
        rooms.ROOMS.close()


def target_of(name: str) -> Any:
    return importlib.import_module(f"fuzz.{name}").TARGET


@pytest.mark.parametrize("name", names())
def test_seeds_and_changes_of_them_do_no_harm(name: str) -> None:
    target = target_of(name)
    assert target.name == name
    seeds = list(target.seeds())
    assert len({seed for seed, _ in seeds}) == len(seeds) >= 8
    changed = 0
    for seed, data in seeds:
        assert 0 < len(data) <= target.longest, seed
        target.run(data)
        for number in range(CHANGES):
            try:
                other = target.change(data, Random(number))
            except Exception:  # not every change can be made
                continue
            changed += other != data
            target.run(other)
    assert changed > len(seeds) // 2


@pytest.mark.parametrize("name", names())
def test_noise_does_no_harm(name: str) -> None:
    target, chance = target_of(name), Random(name)
    for length in (0, 1, 40, 1000):
        target.run(chance.randbytes(length))


def test_a_change_is_the_same_for_the_same_chance() -> None:
    target = target_of("picture")
    data = dict(target.seeds())["grey.png"]
    assert [target.change(data, Random(3)) for _ in range(2)] == [target.change(data, Random(3))] * 2


def test_every_target_is_fuzzed_on_every_change() -> None:
    job = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]["fuzz"]
    assert job["strategy"]["matrix"]["target"] == names()
    group = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["fuzz"]
    assert [one.partition(">")[0] for one in group] == ["atheris"]
