"""A command whose help teaches: how it is typed, and what the words mean that its options take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click


class Taught(click.Command):
    """A command with a section of examples, and with sections that explain words.

    `examples` are lines to type. `glossary` has, under each heading, words and their meanings.
    """

    def __init__(
        self,
        *args: Any,
        examples: Sequence[str] = (),
        glossary: Mapping[str, Sequence[tuple[str, str]]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples, self.glossary = examples, glossary or {}

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the command does, then the examples, which one looks for first."""
        super().format_help_text(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {line}\n" for line in self.examples))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the glossary after the options."""
        for heading, words in self.glossary.items():
            with formatter.section(heading):
                formatter.write_dl(words)
        super().format_epilog(ctx, formatter)


class TaughtGroup(Taught, click.Group):
    """A group of commands that teaches alike and keeps the order in which one meets its commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they were added."""
        del ctx
        return list(self.commands)
