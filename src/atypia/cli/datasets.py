"""`datasets`: the public sets, and fetching one of them."""

from __future__ import annotations

from pathlib import Path

import click

from atypia.cli import options
from atypia.cli.command import Taught, TaughtGroup


class NameOrCommand(TaughtGroup):
    """A group that takes the name of a data set where it knows no such command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Treat an unknown word as a name to describe."""
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return "about", self.commands["about"], args


@click.group(
    cls=NameOrCommand,
    invoke_without_command=True,
    subcommand_metavar="[NAME | get NAME -o FOLDER]",
    short_help="List public data sets, or fetch one.",
    examples=(
        "atypia datasets",
        "atypia datasets lgg-flair",
        "atypia datasets get kaggle-brain-mri -o kaggle",
    ),
)
@click.pass_context
def datasets(context: click.Context) -> None:
    """List public sets of brain MRI: where they are, their licence, layout, and what is wrong with them.

    With a NAME, tell all about that set.
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


@datasets.command(
    cls=Taught,
    short_help="Fetch a set and list it in a table.",
    examples=(
        "atypia datasets get kaggle-brain-mri -o kaggle",
        "atypia split kaggle/table.csv -o kaggle/splits.csv",
    ),
)
@click.argument("name")
@options.out("FOLDER", "New or empty folder for images/, table.csv and SOURCE.txt.")
def get(name: str, out: Path) -> None:
    """Fetch a public set, check it, and write its table.

    It needs the extra 'kaggle'. A folder that is complete is not fetched again, and a download that was
    interrupted goes on.
    """
    from atypia.datasets.download import get_dataset

    try:
        rows = get_dataset(name, out)
    except KeyboardInterrupt as error:
        error.add_note("Give the same command again: it goes on where it stopped.")
        raise
    table = out / "table.csv"
    click.echo(f"{len(rows)} scans, listed in {table}\nnext: atypia split {table} -o {out / 'splits.csv'}")
