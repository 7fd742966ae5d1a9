"""The group of commands, and how an error becomes one clear line and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import click

from atypia.cli import options
from atypia.cli.audit import audit
from atypia.cli.card import card
from atypia.cli.choose import choose
from atypia.cli.command import TaughtGroup
from atypia.cli.compare import compare
from atypia.cli.datasets import datasets
from atypia.cli.demo import demo
from atypia.cli.describe import describe
from atypia.cli.doctor import doctor
from atypia.cli.equalise import equalise
from atypia.cli.evaluate import evaluate
from atypia.cli.fit import fit
from atypia.cli.forget import forget
from atypia.cli.info import info
from atypia.cli.keygen import keygen
from atypia.cli.monitor import monitor
from atypia.cli.optimise import optimise
from atypia.cli.phantom import phantom
from atypia.cli.reproduce import reproduce
from atypia.cli.score import score
from atypia.cli.serve import serve
from atypia.cli.sign import sign
from atypia.cli.split import split
from atypia.cli.threshold import threshold
from atypia.cli.tokens import tokens
from atypia.cli.verify import verify
from atypia.errors import AtypiaError, OutputError, ProcessesDied
from atypia.notice import RESEARCH_USE_ONLY

INTERRUPTED, TERMINATED = 130, 143
_ENDING = ("SIGTERM", "SIGHUP")
"""Signals that end a command as Ctrl-C does: what it has begun is put away, and it tells how to go on."""
_NO_MEMORY = (
    "expected memory for this, received none. Give fewer --threads, --processes or --workers where there are "
    "such, a smaller --size, or fewer scans at once."
)


class Terminated(KeyboardInterrupt):
    """A signal asks the process to end."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


class Commands(TaughtGroup):
    """The group of all commands; an error of ours ends it with one line and its exit code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words as they were typed, for reports to tell."""
        ctx.meta[options.WORDS] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            with _ended_by_signals():
                return super().invoke(ctx)
        except AtypiaError as error:
            _tell(str(error), error)
            ctx.exit(error.exit_code)
        except Terminated as error:
            _tell(f"ended by {signal.Signals(error.number).name}.", error)
            ctx.exit(128 + error.number)
        except KeyboardInterrupt as error:
            _tell("interrupted.", error)
            ctx.exit(INTERRUPTED)
        except MemoryError as error:
            _tell(_NO_MEMORY, error)
            ctx.exit(ProcessesDied.exit_code)
        except BrokenPipeError:  # as of `| head`: who reads has read enough
            _close_output()
            ctx.exit(0)
        except OSError as error:  # as of a full disk that the output goes to
            _tell(f"could not read or write: {error}.", error)
            _close_output()
            ctx.exit(OutputError.exit_code)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have signals that would kill raise Terminated, once; further ones do not disturb what is put away."""
    before: dict[int, Any] = {}

    def end(number: int, _frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise Terminated(number)

    for number in (int(getattr(signal, name)) for name in _ENDING if hasattr(signal, name)):
        if signal.getsignal(number) is signal.SIG_DFL:  # as it is not under nohup
            with suppress(ValueError):  # in another thread than the first no signal comes
                before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(message: str, error: BaseException) -> None:
    click.echo(" ".join(["atypia:", message, *getattr(error, "__notes__", ())]), err=True)


def _close_output() -> None:
    """Send what is still to be flushed nowhere, lest the interpreter complain at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())


@click.group(
    cls=Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "show_default": True,
    },
    examples=(
        "atypia demo                                learn, judge and report on synthetic data",
        "atypia fit HEALTHY -o brain.atypia         learn from a folder of your healthy scans",
        "atypia score brain.atypia SCANS -o out     judge scans: out/findings.csv",
        "atypia evaluate brain.atypia TABLE -o out  measure on labelled scans: out/report.html",
        "atypia fit --help                          all about one command, with examples",
    ),
    glossary={
        "Exit codes": [
            ("0", "all went well"),
            ("1", "done, but some scans could not be read or judged"),
            ("2", "wrong input or options"),
            ("3", "the file of the Screener cannot be used"),
            ("4", "weights, a download, an optional part of the installation, or memory is missing"),
            ("5", "the training diverged"),
            ("6", "a result could not be written"),
            ("7", "an optimised Screener scores otherwise than the original"),
            (str(INTERRUPTED), "interrupted"),
            (str(TERMINATED), "ended by a signal that asks for it, SIGTERM"),
        ]
    },
    epilog=RESEARCH_USE_ONLY,
)
@click.version_option(package_name="atypia", message="atypia %(version)s")
def commands() -> None:
    """Find abnormal brain MRI scans without labels.

    Atypia learns from healthy scans alone, scores how far a new scan departs from them, shows where, and
    decides with a threshold calibrated on healthy scans that it has not seen.
    """


COMMANDS = (
    demo,
    audit,
    fit,
    score,
    serve,
    tokens,
    forget,
    evaluate,
    compare,
    choose,
    threshold,
    optimise,
    monitor,
    info,
    card,
    doctor,
    keygen,
    sign,
    verify,
    phantom,
    split,
    describe,
    equalise,
    datasets,
    reproduce,
)
for command in COMMANDS:
    commands.add_command(command)


def main(arguments: Sequence[str] | None = None, **kwargs: Any) -> Any:
    """Run the command line; `kwargs` go to click, as `standalone_mode=False` in tests."""
    return commands.main(args=None if arguments is None else list(arguments), prog_name="atypia", **kwargs)
