"""The public data sets that a detector of abnormal brain MRI can be fitted to and tested on.

Nothing of them is in this package. The entries are in `catalogue.toml`: where a set is, under which licence
as its sources state it, how it lies on disk, and what is wrong with it. Licences change and mirrors differ:
the terms at the source are those that count.
"""

from __future__ import annotations

import textwrap
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from atypia.errors import BadOption

WIDTH = 100


@dataclass(frozen=True)
class PublicDataset:
    """What is known of one public set.

    `use` says which part it can play for a detector that is fitted to healthy scans only.
    `handle` is its OWNER/NAME on Kaggle, where it has one; `fetchable` sets can be fetched by this package.
    """

    name: str
    title: str
    use: str
    size: str
    masks: str
    where: str
    licence: str
    layout: str
    how_to_get: str
    known_faults: tuple[str, ...]
    handle: str | None = None
    fetchable: bool = False


def _read_entries() -> dict[str, PublicDataset]:
    entries = tomllib.loads(Path(__file__).with_name("catalogue.toml").read_text(encoding="utf-8"))
    return {
        name: PublicDataset(name=name, known_faults=tuple(entry.pop("known_faults")), **entry)
        for name, entry in entries.items()
    }


DATASETS: dict[str, PublicDataset] = _read_entries()


def find_dataset(name: str) -> PublicDataset:
    """Return the entry of this name; raise BadOption, with the names that there are."""
    if name in DATASETS:
        return DATASETS[name]
    close = get_close_matches(name, DATASETS, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    raise BadOption(f"data set: expected one of {', '.join(DATASETS)}; received '{name}'.{hint}")


def describe(name: str | None = None) -> str:
    """Return the table of all sets, or the card of one, as plain text without a final newline.

    >>> print(describe("ixi").splitlines()[0])
    ixi: IXI: information extraction from images
    """
    return _table() if name is None else _card(find_dataset(name))


def _table() -> str:
    width = max(map(len, DATASETS)) + 2
    lines = [_hanging(name.ljust(width), dataset.use) for name, dataset in DATASETS.items()]
    fetchable = ", ".join(name for name, dataset in DATASETS.items() if dataset.fetchable)
    last = f"Can be fetched: {fetchable}. Name one set to see its licence, its layout and its known faults."
    return "\n".join([*lines, "", last])


def _card(dataset: PublicDataset) -> str:
    facts = {
        "Use": dataset.use,
        "Size": dataset.size,
        "Masks": dataset.masks,
        "Where": dataset.where,
        "Licence": dataset.licence,
        "Layout": dataset.layout,
        "How to get": dataset.how_to_get,
    }
    lines = [f"{dataset.name}: {dataset.title}"]
    lines += [_hanging(f"{key}:".ljust(12), value) for key, value in facts.items()]
    lines += ["Known faults:", *(_hanging("  - ", fault) for fault in dataset.known_faults)]
    return "\n".join(lines)


def _hanging(start: str, text: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )
