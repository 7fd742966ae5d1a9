"""How an error, an interruption or a closed pipe ends a command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from atypia import errors
from atypia.cli import options
from atypia.cli.main import INTERRUPTED, TERMINATED, Commands, commands
from atypia.errors import AtypiaError

PROGRAM = [sys.executable, "-m", "atypia"]


def every(kind: type[AtypiaError] = AtypiaError) -> list[type[AtypiaError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in every(child))]


def raising(error: BaseException) -> Commands:
    @click.group(cls=Commands)
    def group() -> None:
        """Hold one command."""

    @group.command()
    def work() -> None:
        """Fail."""
        raise error

    return group


def made(kind: type[AtypiaError]) -> AtypiaError:
    if kind is errors.UnreadableScan:
        return kind("a.png", "a picture", "a text")
    return kind("Training", "train") if kind is errors.MissingExtra else kind("a.png: told")


@pytest.mark.parametrize("kind", every(), ids=lambda kind: kind.__name__)
def test_every_error_gives_its_code_and_one_line(kind):
    error = made(kind)
    result = CliRunner().invoke(raising(error), ["work"])
    assert result.exit_code == kind.exit_code
    assert result.stdout == ""
    assert result.stderr == f"atypia: {error}\n"


def test_the_exit_codes_in_the_help_are_those_of_the_errors():
    told = {int(code) for code, _ in commands.glossary["Exit codes"]}
    assert told == {kind.exit_code for kind in every()} | {0, INTERRUPTED, TERMINATED}


def test_an_interruption_is_one_line_with_what_to_do():
    error = KeyboardInterrupt()
    error.add_note("Add --resume.")
    result = CliRunner().invoke(raising(error), ["work"])
    assert (result.exit_code, result.stderr) == (130, "atypia: interrupted. Add --resume.\n")


def test_another_mistake_in_the_code_is_not_hidden():
    assert isinstance(CliRunner().invoke(raising(ZeroDivisionError()), ["work"]).exception, ZeroDivisionError)


def test_an_unknown_command_or_option_is_code_2(atypia):
    assert atypia("frobnicate").code == 2
    assert atypia("fit", "--frobnicate").code == 2
    assert "Missing argument 'SCANS...'" in atypia("fit", "-o", "x").err


def test_without_words_the_help_is_shown(atypia):
    assert "Start here" not in atypia().err
    assert "atypia demo" in atypia().out + atypia().err


def test_the_module_runs_as_the_command_does():
    out = subprocess.run([*PROGRAM, "--version"], capture_output=True, text=True, check=True)
    assert out.stdout == f"atypia {version('atypia')}\n"


def test_help_takes_no_time():
    def spent():
        before = os.times()
        subprocess.run([*PROGRAM, "--help"], capture_output=True, check=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    # The first may have to compile what it imports, or share its processor with much else.
    assert any(spent() < 0.5 for _ in range(3))


@pytest.mark.parametrize("words", [["--help"], ["datasets"]], ids=" ".join)
def test_a_closed_pipe_ends_a_command_quietly(words):
    with subprocess.Popen([*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, told = process.communicate(timeout=30)
    assert told == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_the_output_is_told():
    with Path("/dev/full").open("w") as full:
        out = subprocess.run(
            [*PROGRAM, "datasets"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert out.returncode == 6
    assert out.stderr == "atypia: could not read or write: [Errno 28] No space left on device.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ there")
def test_ctrl_c_while_scoring_is_code_130(nearest_file, phantom_table, tmp_path):
    """The reading of a scan is slowed down, so that the signal surely comes in the midst of the work."""
    code = (
        "import signal, sys, time, atypia.loading as loading, atypia.screener, atypia.screening\n"
        # Where the tests run in the background, signals of the keyboard are ignored, and children inherit it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "read = loading.read_row\n"
        "def slow(*a, **k):\n    print('reading', flush=True); time.sleep(0.2); return read(*a, **k)\n"
        "loading.read_row = slow\n"
        "from atypia.cli import main; main()"
    )
    words = ["score", str(nearest_file), str(phantom_table), "-o", str(tmp_path / "out")]
    with subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("reading")  # two threads may say so at once
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (130, "atypia: interrupted.\n")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("/home/jane/scans", "scans"),
        ("--root=/home/jane/scans", "--root=scans"),
        ("-o/home/jane/out", "-oout"),
        ("../up/", "up"),
        ("plain.csv", "plain.csv"),
        ("--split", "--split"),
        ("a title", "'a title'"),
        ("/", "/"),
    ],
)
def test_a_report_tells_the_command_without_the_folders_of_the_machine(word, shown):
    context = click.Context(commands)
    context.meta[options.WORDS] = ("evaluate", word)
    with context:
        assert options.command_line() == f"atypia evaluate {shown}"
