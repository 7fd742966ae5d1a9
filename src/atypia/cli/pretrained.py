"""The option `--pretrained`: a Screener that comes with Atypia in place of the file of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from atypia.errors import BadOption
from atypia.pretrained import NAMES, pretrained_path

option = click.option(
    "--pretrained",
    type=click.Choice(NAMES),
    metavar="NAME",
    help=f"Instead of MODEL, a Screener that comes with Atypia: {', '.join(NAMES)}. "
    f"'atypia info --pretrained {NAMES[0]}' tells how it was made and what it misses.",
)

UNCALIBRATED = (
    "Its threshold was set on synthetic heads and promises nothing on your scans: trust the order of the "
    "scores and the maps rather than the verdicts. With 20 healthy scans or more, set it on them: "
    "atypia fit HEALTHY --detector pretrained-synthetic -o brain.atypia"
)


def model_and_rest(
    pretrained: str | None, model: Path | None, rest: tuple[Path, ...] = ()
) -> tuple[Path, tuple[Path, ...]]:
    """Return the file of the Screener, and the other words: with `pretrained` all of them.

    Raises BadOption where neither a MODEL nor the option is given.
    """
    if pretrained is not None:
        words = rest if model is None else (model, *rest)
        if words and words[0].suffix == ".atypia":
            raise BadOption(
                f"Expected either a MODEL or --pretrained {pretrained}; received both, {words[0]} being one."
            )
        return pretrained_path(pretrained), words
    if model is None:
        raise BadOption("Expected the file of a Screener that 'atypia fit' saved, or --pretrained NAME.")
    return model, rest
