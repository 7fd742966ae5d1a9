"""`phantom`, `split` and `datasets`: everything about data."""

from __future__ import annotations

from pathlib import Path

import click

from atypia.cli import options

SEQUENCES = ("T1", "T1c", "T2", "FLAIR")


@click.command(short_help="Write a set of synthetic brain slices.")
@options.out("Folder to write healthy/, abnormal/, masks/ and table.csv into.")
@click.option(
    "--healthy", type=click.IntRange(1), default=200, show_default=True, help="Number of healthy slices."
)
@click.option(
    "--abnormal", type=click.IntRange(0), default=60, show_default=True, help="Number with a tumour."
)
@click.option(
    "--sequence",
    "sequences",
    type=click.Choice(SEQUENCES),
    multiple=True,
    help="Contrast; may be given again. Default: all.",
)
@options.seed
def phantom(out: Path, healthy: int, abnormal: int, sequences: tuple[str, ...], seed: int) -> None:
    """Render brain slices from a real template: healthy, and with four kinds of tumour and their masks.

    One anatomy: a detector's figures on the phantom say that the machinery works, not how good it is.
    """
    from atypia.datasets.phantom import write_phantom

    table = write_phantom(
        out, healthy=healthy, abnormal=abnormal, seed=seed, sequences=sequences or SEQUENCES
    )
    click.echo(
        f"{len(table)} slices in {out}, listed in {out / 'table.csv'}\nnext: atypia fit {out / 'table.csv'} -o brain.atypia"
    )


@click.command(short_help="Assign scans to train, threshold, validation and test.")
@click.argument("scans", nargs=-1, required=True, type=options.EXISTING)
@options.out("Table to write, .csv or .parquet.")
@options.root
@click.option(
    "--train",
    type=float,
    default=0.7,
    show_default=True,
    help="Healthy scans to learn from: a share, or a number above 1.",
)
@click.option(
    "--threshold", type=float, default=0.15, show_default=True, help="Healthy scans for the threshold."
)
@click.option(
    "--validation",
    type=float,
    default=0.0,
    show_default=True,
    help="Scans of each label to watch training with.",
)
@click.option(
    "--test",
    type=float,
    default=0.15,
    show_default=True,
    help="Scans of each label to test on; abnormal ones left over become tumor_test.",
)
@click.option(
    "--by-group/--by-image", default=True, show_default=True, help="Keep a patient's scans in one split."
)
@options.seed
def split(
    scans: tuple[Path, ...], out: Path, root: Path | None, by_group: bool, seed: int, **sizes: float
) -> None:
    r"""Write a table that says which scans are learned from, which calibrate, and which test.

    Only healthy scans go to train and threshold, and no group crosses splits. Class folders (Healthy,
    Tumor, ...) give the labels.

    \b
    Example:
      atypia split brain-mri/ -o table.csv --train 1400 --threshold 200 --test 200
    """
    from atypia.datasets.split import split_collection
    from atypia.reading.collection import read_collections, write_collection

    asked = {name: int(size) if size > 1 else size for name, size in sizes.items() if size}
    table = split_collection(read_collections(scans, root=root), sizes=asked, seed=seed, by_group=by_group)
    write_collection(table, out)
    for name in ("train", "threshold", "validation", "test", "tumor_test"):
        chosen = table.select(split=name)
        if len(chosen):
            normal = len(chosen.select(label="normal"))
            click.echo(f"{name:10} {normal:6} normal {len(chosen) - normal:6} abnormal")
    if not table.has_groups:
        click.echo(
            "No groups are known: slices of one patient, or copies of one slice, may stand in two splits.",
            err=True,
        )
    click.echo(f"saved {out}")


class NameOrCommand(click.Group):
    """A group that takes the name of a data set where it knows no such command."""

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Treat an unknown word as a name to describe."""
        if args[0] in self.commands:
            return super().resolve_command(context, args)
        return "about", self.commands["about"], args


@click.group(
    cls=NameOrCommand, invoke_without_command=True, short_help="List public data sets, or fetch one."
)
@click.pass_context
def datasets(context: click.Context) -> None:
    """List public sets of brain MRI: where they are, their licence, layout, and what is wrong with them.

    `atypia datasets NAME` tells all about one; `atypia datasets get kaggle-brain-mri -o DIR` fetches it.
    """
    if context.invoked_subcommand is None:
        from atypia.datasets.catalogue import describe

        click.echo(describe())


@datasets.command(hidden=True)
@click.argument("name")
def about(name: str) -> None:
    """Tell all about one set."""
    from atypia.datasets.catalogue import describe

    click.echo(describe(name))


@datasets.command(short_help="Fetch a set and list it in a table.")
@click.argument("name")
@options.out("Folder for the set.")
def get(name: str, out: Path) -> None:
    """Fetch a public set, check it, and write its table; an interrupted download goes on."""
    from atypia.datasets.download import get_dataset

    table = get_dataset(name, out)
    click.echo(
        f"{len(table)} scans in {out}, listed in {out / 'table.csv'}\nnext: atypia split {out / 'table.csv'} -o splits.csv"
    )
