"""What `--help` says is kept in `help/`; ATYPIA_GOLDEN=write writes it anew."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from atypia.cli.command import Taught
from atypia.cli.main import commands

SNAPSHOTS = Path(__file__).with_name("help")
WIDTH = 100


def walk(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            if not child.hidden:
                yield from walk(child, (*words, name))


EVERY = tuple(walk(commands))


def find(words: tuple[str, ...]) -> click.Command:
    command: click.Command = commands
    for word in words:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    return command


def shown(words: tuple[str, ...]) -> str:
    result = CliRunner().invoke(commands, [*words, "--help"], prog_name="atypia", terminal_width=WIDTH)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_help_is_as_it_was(words):
    snapshot = SNAPSHOTS / f"{'-'.join(('atypia', *words))}.txt"
    if os.environ.get("ATYPIA_GOLDEN") == "write":
        snapshot.write_text(shown(words), encoding="utf-8")
    assert shown(words) == snapshot.read_text(encoding="utf-8"), "ATYPIA_GOLDEN=write writes it anew"


def test_there_is_no_snapshot_of_a_command_that_is_gone():
    assert {path.stem for path in SNAPSHOTS.iterdir()} == {"-".join(("atypia", *words)) for words in EVERY}


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_help_teaches(words):
    command, text = find(words), shown(words)
    assert command.short_help or not words
    assert all(len(line) <= WIDTH for line in text.splitlines())
    if not isinstance(command, click.Group):
        assert isinstance(command, Taught)
        assert command.examples
    for option in (p for p in command.params if isinstance(p, click.Option)):
        assert option.help or "[default" in text
        assert option.help != ""


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_example_can_be_typed(words):
    """Click reads each up to where the command would begin to work."""
    for line in getattr(find(words), "examples", ()):
        program, *typed = shlex.split(re.split(r"  +", line)[0])
        assert program == "atypia"
        at, context = commands, None
        while isinstance(at, click.Group) and typed and typed[0] in at.commands:
            context = click.Context(at, parent=context, help_option_names=["--help"])
            at = at.commands[typed.pop(0)]
        assert at is not commands, line
        if typed != ["--help"] and not isinstance(at, click.Group):
            at.make_context(at.name, typed, parent=context)


def test_what_is_written_goes_to_out():
    writers = [words for words in EVERY if "--out" in shown(words)]
    commands_that_write = {
        "demo",
        "fit",
        "score",
        "evaluate",
        "audit",
        "card",
        "compare",
        "choose",
        "threshold",
        "optimise",
        "monitor",
        "phantom",
        "split",
        "describe",
        "equalise",
        "get",
        "reference",
        "doctor",
        "keygen",
    }
    assert {words[-1] for words in writers} == commands_that_write
    for words in writers:
        (out,) = [parameter for parameter in find(words).params if parameter.name == "out"]
        assert out.opts == ["-o", "--out"]
