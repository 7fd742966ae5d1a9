"""`compare`: several detectors on one split, ranked and tested against each other and the trivial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atypia.cli import options
from atypia.cli.candidates import EXPLAINED, asked_for, contestants_of, tries
from atypia.cli.choice import FitChoice
from atypia.cli.command import Taught
from atypia.cli.evaluate import SPLITS
from atypia.notice import RESEARCH_USE_ONLY

if TYPE_CHECKING:
    from atypia.comparison import Comparison


@click.command(
    cls=Taught,
    short_help="Rank several detectors on one split.",
    examples=(
        "atypia compare table.csv --root images/ -o out",
        "atypia compare table.csv --detectors nearest,autoencoder,vae --epochs 20 -o out",
        "atypia compare table.csv --detectors nearest@efficientnet-lite0,nearest@resnet50 -o out",
        'atypia compare table.csv --try "patchcore scales=3" --try "lesion-simulation steps=300" -o out',
    ),
    glossary={
        "Detectors": EXPLAINED,
        "What it writes": [
            ("compare.html", "the leaderboard: figures with intervals, tests of all pairs, time and memory"),
            ("compare.json", "the same as numbers; compare.md as a table in text"),
            ("NAME/", "the Screener of each, ready to use, with its findings and its own report"),
        ],
    },
)
@click.argument("table", type=options.PATH)
@options.out("FOLDER", "Folder for the leaderboard, and for a folder of each detector.")
@options.root
@click.option(
    "--detectors",
    metavar="NAMES",
    default="ensemble,lesion-simulation,nearest,autoencoder",
    show_default=True,
    help="Names out of the list below, with commas between them.",
)
@tries
@click.option(
    "--encoder", metavar="NAME", default="auto", help="Pretrained network that all build on, as in fit."
)
@options.weights
@options.whole("--epochs", "Epochs of the autoencoders. Default: each recipe's own.", least=1)
@options.whole("--size", "Pixels a side that the networks see.", least=32, default=224)
@click.option("--split", type=click.Choice(SPLITS[2:]), default="test", help="Rows of the table to judge.")
@click.option(
    "--allow-leak", is_flag=True, help="Go on where groups stand on both sides; every figure says LEAKS."
)
@options.planes("that of each volume's acquisition.")
@options.strip
@options.seed
@options.threads
def compare(
    table: Path,
    out: Path,
    root: Path | None,
    detectors: str,
    tries: tuple[str, ...],
    epochs: int | None,
    split: str,
    allow_leak: bool,
    planes: tuple[str, ...],
    strip: str,
    seed: int,
    **common: Any,
) -> None:
    """Fit several detectors on the same healthy scans, and rank them on the same others.

    TABLE is CSV or Parquet with the columns path, label and split, and perhaps group, kind and mask. What was
    finished by an earlier call is kept, so that an interrupted comparison goes on and a new detector can
    join. Every scan that can be read is judged, without the check of fitness. The scores that look at no
    anatomy, such as the size of the file, stand in the same table. The exit code is 1 where a detector
    failed; the others are ranked all the same.
    """
    from atypia.comparison import compare as compare_all
    from atypia.destination import claim_folder
    from atypia.reading.collection import read_collection
    from atypia.reading.cutting import Cutting
    from atypia.reading.stripping import check_method

    check_method(strip)
    contestants = contestants_of(asked_for(detectors, tries), _in_common(**common), epochs)
    collection = read_collection(table, root=root, cutting=Cutting(planes, strip))
    claim_folder(out)
    asked: dict[str, Any] = {"seed": seed, "split": split, "allow_leak": allow_leak}
    comparison = compare_all(collection, contestants, out, **asked, command=options.command_line())
    click.echo(_told(comparison, out))
    click.get_current_context().exit(1 if comparison.failed else 0)


def _in_common(encoder: str, weights: Path | None, size: int, threads: int | None) -> FitChoice:
    """Return what is the same for all detectors."""
    return FitChoice(
        detector=None,
        recipe=None,
        settings=(),
        epochs=None,
        learning_rate=None,
        encoder=encoder,
        weights=weights,
        rule="mean+std",
        parameter=None,
        size=size,
        crop=None,
        threads=threads,
        no_fitness_check=True,
    )


def _told(comparison: Comparison, out: Path) -> str:
    text = (out / "compare.md").read_text(encoding="utf-8").rpartition("\n\n")[0]
    failed = [f"{outcome.name} failed: {outcome.error}" for outcome in comparison.failed]
    return "\n".join([text, *failed, f"leaderboard: {out / 'compare.html'}", RESEARCH_USE_ONLY])
