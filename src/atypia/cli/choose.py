"""`choose`: a detector and its settings, picked on healthy scans alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atypia.cli import options
from atypia.cli.candidates import EXPLAINED, asked_for, contestants_of, tries
from atypia.cli.choice import TRAINED, FitChoice
from atypia.cli.command import Taught
from atypia.cli.fit_scans import refuse_leaks, with_groups
from atypia.cli.rule import RULES, strata
from atypia.notice import RESEARCH_USE_ONLY

if TYPE_CHECKING:
    from atypia.comparison import Chosen
    from atypia.reading.collection import Collection

CRITERIA = {
    "auroc": "AUROC of scans with a simulated lesion against the same scans without",
    "precision": "average precision of the map's pixels in those lesions",
    "mean": "the mean of both",
}
CRITERION = "auroc"
"""What chooses unless told otherwise."""
USUAL = ("nearest", "patchcore", "gaussian", "atlas", "lesion-simulation", "denoising")


@click.command(
    cls=Taught,
    short_help="Pick a detector and its settings without labels.",
    examples=(
        "atypia choose healthy/ -o brain.atypia",
        "atypia choose table.csv --root images/ -o brain.atypia --detectors nearest,patchcore,atlas",
        'atypia choose healthy/ -o b.atypia --try "denoising steps=300" --try "denoising steps=1000"',
        'atypia choose healthy/ -o brain.atypia --try "patchcore scales=1" --try "patchcore scales=2"',
        'atypia choose healthy/ -o brain.atypia --try "ensemble members=atlas,patchcore" --try atlas',
        "atypia choose healthy/ -o brain.atypia --by precision --rule conformal --fpr 0.05",
    ),
    glossary={
        "Criteria": list(CRITERIA.items()),
        "What can be picked": [
            ("detectors", "--detectors nearest,atlas"),
            ("epochs, steps", '--try "lesion-simulation steps=300" --try "lesion-simulation steps=1000"'),
            ("layers, encoders", '--try "patchcore scales=1" --try "patchcore@resnet50 scales=2"'),
            ("members", '--try "ensemble members=lesion-simulation,patchcore" --try ensemble'),
        ],
        "Detectors": EXPLAINED,
        "What it writes": [
            ("FILE", "the Screener of the winner, calibrated, ready for 'atypia score'"),
            ("choice.html", "in the folder of --work: the candidates beside each other"),
            ("choice.json", "the same as numbers"),
            ("NAME/", "the Screener of each candidate"),
        ],
    },
)
@click.argument("healthy", type=options.PATH)
@options.out("FILE", "The Screener to write, such as brain.atypia.")
@options.root
@click.option(
    "--detectors",
    metavar="NAMES",
    default=",".join(USUAL),
    show_default=True,
    help="Names out of the list below, with commas between them. Of the default those that train a network "
    "are left out where the extra 'train' is not installed.",
)
@tries
@click.option(
    "--by",
    type=click.Choice(list(CRITERIA)),
    default=CRITERION,
    help="The criterion, of simulated lesions in the healthy scans kept aside for the choice.",
)
@click.option(
    "--aside",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="X",
    default=0.2,
    help="Share of the scans to learn from that is kept aside for the choice, whole groups together.",
)
@click.option(
    "--work",
    type=options.PATH,
    metavar="FOLDER",
    help="Folder for the page and for each candidate, kept to go on from. Default: FILE's name without "
    "'.atypia', with '-choice'.",
)
@click.option(
    "--encoder", metavar="NAME", default="auto", help="Pretrained network that all build on, as in fit."
)
@options.weights
@click.option(
    "--rule",
    type=click.Choice(RULES),
    default="mean+std",
    help="How the threshold follows from the scores of the healthy scans for it, as in fit.",
)
@click.option("--parameter", type=float, metavar="X", help="Of the rule, as in fit.")
@click.option(
    "--fpr",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="X",
    help="False-alarm rate, of the rules conformal and quantile.",
)
@strata("Columns of the table whose strata get thresholds of their own, as in fit. Default: none.", "none")
@options.planes("that of each volume's acquisition.")
@options.strip
@options.whole("--size", "Pixels a side that the networks see.", least=32, default=224)
@options.cluster
@options.allow_leak
@options.seed
@options.threads
def choose(
    healthy: Path,
    out: Path,
    root: Path | None,
    detectors: str,
    tries: tuple[str, ...],
    by: str,
    aside: float,
    work: Path | None,
    planes: tuple[str, ...],
    strip: str,
    cluster: bool,
    allow_leak: bool,
    seed: int,
    **chosen: Any,
) -> None:
    """Fit several candidates on healthy scans, and keep the one that finds simulated lesions best.

    HEALTHY is a folder or a table; abnormal scans in it are not used. The healthy ones are parted in three,
    whole groups together: to learn from, to choose by, and for the threshold, which fit keeps aside as well.
    Lesions are simulated in those to choose by, the same for all candidates. No label is asked for, and none
    is used. Detectors, epochs or steps, layers and members are picked alike, for all are settings of a
    candidate. Each runs in a process of its own; what an earlier call finished is kept, and one that fails
    costs its own row, and the exit code is 1. Simulated lesions are not real ones: evaluate the winner where
    labelled scans can be had.
    """
    from atypia.comparison import choose as choose_among
    from atypia.destination import claim_file, claim_folder
    from atypia.reading.collection import read_collection
    from atypia.reading.cutting import Cutting
    from atypia.reading.stripping import check_method

    check_method(strip)
    common = FitChoice(
        detector=None, recipe=None, settings=(), epochs=None, learning_rate=None, crop=None, **chosen
    )
    candidates = contestants_of(_installed(asked_for(detectors, tries)), common)
    collection = _healthy(read_collection(healthy, root=root, cutting=Cutting(planes, strip)))
    refuse_leaks(collection, allow=allow_leak)
    folder = out.with_name(f"{out.stem}-choice") if work is None else work
    claim_file(out)
    claim_folder(folder)
    if cluster:
        grouped, collection = collection.has_groups, with_groups(collection)
        if not grouped:
            refuse_leaks(collection, allow=allow_leak)
    found = choose_among(
        collection, candidates, folder, by=by, aside=aside, seed=seed, command=options.command_line()
    )
    found.screener.save(out)
    click.echo(_told(found, out, folder))
    click.get_current_context().exit(1 if found.failed else 0)


def _installed(specs: list[str]) -> list[str]:
    """Leave out of the usual candidates those that cannot be trained here, and say so."""
    from atypia.keras_backend import available

    if specs != list(USUAL) or available():
        return specs
    click.echo('left out what trains a network, which needs pip install "atypia[train]"', err=True)
    return [name for name in specs if name not in TRAINED]


def _healthy(collection: Collection) -> Collection:
    """Leave abnormal scans out, and say so."""
    rows = tuple(row for row in collection if row.label != "abnormal")
    if len(rows) < len(collection):
        click.echo(f"{len(collection) - len(rows)} abnormal scans are not used", err=True)
    return replace(collection, rows=rows)


def _told(found: Chosen, out: Path, folder: Path) -> str:
    failed = [f"{outcome.name} failed: {outcome.error}" for outcome in found.failed]
    return "\n".join(
        [
            found.page.to_markdown(),
            *failed,
            found.page.verdict(),
            f"page: {folder / 'choice.html'}",
            f"saved {out}",
            f"next: {options.to_type('score', out)} SCANS -o findings",
            RESEARCH_USE_ONLY,
        ]
    )
