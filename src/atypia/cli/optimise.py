"""`optimise`: the same Screener faster, or a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atypia.cli import options
from atypia.cli.command import Taught
from atypia.errors import BadOption
from atypia.notice import RESEARCH_USE_ONLY

if TYPE_CHECKING:
    from atypia.optimising import Effect, Optimised
    from atypia.reading.collection import Collection
    from atypia.screener import Screener
    from atypia.study import Study

RUNTIMES = ("onnxruntime", "openvino")
PRECISIONS = ("fp32", "bf16", "int8")


@click.command(
    cls=Taught,
    short_help="Make a Screener faster, if it then says the same.",
    examples=(
        "atypia optimise brain.atypia -o fast.atypia --healthy healthy/",
        "atypia optimise brain.atypia -o fast.atypia --healthy table.csv --evaluate table.csv",
        "atypia optimise brain.atypia -o fast.atypia --healthy healthy/ --recalibrate",
        "atypia optimise brain.atypia -o ov.atypia --healthy healthy/ --runtime openvino --precision bf16",
    ),
    glossary={
        "Precisions": [
            ("fp32", "numbers as they were learned"),
            ("bf16", "networks in bfloat16, of 16 bits: by openvino, on processors that compute in it"),
            ("int8", "convolutions in 8-bit integers, their ranges set by healthy scans"),
        ],
        "Runtimes": [
            ("onnxruntime", "comes with Atypia"),
            ("openvino", "needs the extra 'openvino', here and wherever the Screener is used"),
        ],
    },
)
@click.argument("model", type=options.PATH)
@options.out("FILE", "The optimised Screener to write; MODEL stays as it is.")
@click.option(
    "--healthy",
    type=options.PATH,
    metavar="SCANS",
    required=True,
    help="Healthy scans that MODEL has not learned from, to hold it to: a folder, or a table, of "
    "whose splits 'threshold' is taken. MODEL itself does not hold them. Of scans that it was fitted with "
    "those kept aside are told by their scores, and the others are left out.",
)
@options.root
@click.option("--runtime", type=click.Choice(RUNTIMES), default="onnxruntime", help="What runs the networks.")
@click.option("--precision", type=click.Choice(PRECISIONS), default="int8", help="Numbers to compute in.")
@click.option(
    "--recalibrate",
    is_flag=True,
    help="Learn the threshold, with the map and regions of healthy scans, anew from the optimised scores of "
    "the healthy scans, and write the Screener however its scores differ.",
)
@click.option(
    "--evaluate",
    "labelled",
    type=options.PATH,
    metavar="TABLE",
    help="Labelled scans, of whose splits 'test' is taken: tell what changes of the AUROC.",
)
@options.seed
@options.threads
def optimise(
    model: Path,
    out: Path,
    healthy: Path,
    root: Path | None,
    labelled: Path | None,
    seed: int,
    threads: int | None,
    **chosen: Any,
) -> None:
    """Write a Screener whose networks run faster, if it still says of healthy scans what the original says.

    MODEL is what 'atypia fit' saved. It is refused, and nothing is written (exit code 7), where the scores of
    the healthy scans before and after have a rank correlation below 0.995, or move by more than a quarter of
    their standard deviation; --recalibrate writes it all the same, with a threshold of its own.

    The check of fitness and what is no network stay as they are. What was recorded of evaluations is dropped,
    for it was measured of the original.
    """
    from atypia.destination import claim_file
    from atypia.reading.collection import read_collection
    from atypia.screener import Screener
    from atypia.study import read_study

    if out.resolve() == model.resolve():
        raise BadOption(f"{out}: expected another file than MODEL. Name one with -o.")
    screener = Screener.load(model)
    screener.use_threads(threads)
    scans = read_collection(healthy, root=root, cutting=screener.cutting)
    study = None if labelled is None else read_study(labelled, root=root, cutting=screener.cutting)
    claim_file(out)
    made, effect = _made(screener, scans, study, seed, **chosen)
    made.screener.save(out)
    _tell(made, effect, model, out)


def _made(
    screener: Screener, healthy: Collection, study: Study | None, seed: int, **chosen: Any
) -> tuple[Optimised, Effect | None]:
    """Return the optimised Screener and, where there are labelled scans, what it changes of the AUROC."""
    from atypia.optimising import effect_of, healthy_for
    from atypia.optimising import optimise as make

    made = make(screener, healthy_for(screener, healthy), **chosen)
    if study is None:
        return made, None
    effect = effect_of(screener, made.screener, study.scans, seed=seed)
    made.screener.provenance["optimised"]["effect"] = effect.to_dict()
    return made, effect


def _tell(made: Optimised, effect: Effect | None, model: Path, out: Path) -> None:
    sizes = tuple(file.stat().st_size / 1e6 for file in (model, out))
    click.echo("\n".join([*_told(made), *(() if effect is None else _changed(effect))]))
    click.echo(f"saved {out} ({sizes[1]:.1f} MB; {model.name} has {sizes[0]:.1f} MB)\n{RESEARCH_USE_ONLY}")


def _told(made: Optimised) -> Iterator[str]:
    found = made.agreement
    yield (
        f"{found.scans} healthy scans: rank correlation of the scores before and after {found.spearman:.4f}, "
        f"moved by {found.shift:+.3f} of their standard deviation"
    )
    if made.learned or made.unreadable:
        yield (
            f"left out: {made.learned} that the Screener has learned from, "
            f"{made.unreadable} that could not be read"
        )
    if made.recalibrated:
        threshold = made.screener.threshold_
        assert threshold is not None
        yield (
            f"recalibrated: the threshold is now {threshold.value:.6g} ({threshold.rule}, "
            f"{threshold.parameter:g}), learned anew from these scans, with map and regions"
        )
    else:
        yield (
            f"the threshold stays: {found.flagged_before} of them were flagged before, "
            f"{found.flagged_after} are now"
        )
    yield f"the detector alone, without reading, is {made.times_as_fast:.1f} times as fast here"


def _changed(effect: Effect) -> Iterator[str]:
    yield (
        f"{effect.normal} normal and {effect.abnormal} abnormal scans in {effect.groups} groups: AUROC "
        f"{effect.before:.4f} before, {effect.after:.4f} after"
    )
    low, high = effect.interval
    yield (
        f"change {effect.change:+.4f} (95 % {low:+.4f} to {high:+.4f}, p {effect.p_value:.3f}); "
        f"{effect.verdicts_changed} verdicts differ"
    )
