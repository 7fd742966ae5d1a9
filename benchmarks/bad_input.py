"""What comes of bad input: a whole corpus of it is judged, and checked case by case.

    python tools/make_bad_corpus.py CORPUS
    python benchmarks/bad_input.py CORPUS --out OUT [--model MODEL]

Told are how many cases there are by format and fault, the rows by verdict and by what was expected, seconds,
the most memory beside that of a run over one good picture, and every case that did not give what it was to
give. Then the same folder with two processes, in the audit, as healthy scans of a fit, and its p-values in
the monitor: the exit code of each, whether a traceback came, and what the fit learned from and left out. What
does not end within half an hour is killed, and that is told.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from bad_corpus.checking import read_findings, wrong
from bad_corpus.corpus import read_cases

from atypia.reading.collection import read_collection

PATIENCE = 1800.0
"""Seconds."""


@dataclass(frozen=True)
class Run:
    """How a command ended: code, seconds, most memory in MiB, and what it said."""

    code: int
    seconds: float
    memory: float
    said: str


def run(*words: object) -> Run:
    """Run a command of Atypia in a process of its own, for so long at most."""
    begin = time.monotonic()
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "atypia", *map(str, words)], stdout=writing, stderr=writing
    )
    os.close(writing)
    clock = Timer(PATIENCE, process.kill)
    clock.start()
    with os.fdopen(reading, "rb") as said:
        text = said.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    clock.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return Run(process.returncode, time.monotonic() - begin, usage.ru_maxrss / 1024, text)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="default: the Screener that is shipped")
    asked = parser.parse_args()
    scans, model = asked.corpus / "scans", [asked.model] if asked.model else ["--pretrained", "synthetic"]
    cases = [case for case in read_cases(asked.corpus) if case.part == "scans"]
    base = run("score", *model, scans / "png/whole.png", "-o", asked.out / "one")
    whole = run("score", *model, scans, "-o", asked.out / "whole")
    found = read_findings(asked.out / "whole")
    reasons = Counter(row["error"].partition("expected ")[2].partition(",")[0] for row in found.values())
    for title, counts in (
        ("format", Counter(case.format for case in cases)),
        ("fault", Counter(case.fault for case in cases)),
        ("verdict", Counter(row["verdict"] for row in found.values())),
        ("expected", Counter({reason: count for reason, count in reasons.items() if reason})),
    ):
        print(f"by {title}: " + ", ".join(f"{name} {count}" for name, count in counts.most_common(20)))
    print(f"{len(cases)} cases, {len(found)} rows, {whole.seconds:.1f} s, exit code {whole.code}")
    print(f"memory: {whole.memory:.0f} MiB, {base.memory:.0f} MiB for one picture")
    aside = [name for name, _ in read_collection(scans).aside]
    amiss = list(wrong(cases, found, aside))
    print("\n".join([f"not as it was to be: {len(amiss)}", *amiss]))
    findings = asked.out / "whole/findings.csv"
    for words in (
        ("score", *model, scans, "-o", asked.out / "two", "--processes", 2, "--shard", 200, "--threads", 2),
        ("audit", scans, "-o", asked.out / "audit"),
        ("fit", scans, "-o", asked.out / "brain.atypia", "--detector", "nearest"),
        ("fit", scans, "-o", asked.out / "bright.atypia", "--detector", "intensity"),
        ("monitor", findings, "-o", asked.out / "monitor"),
    ):
        done = run(*words)
        traced = "a traceback" if "Traceback" in done.said else "no traceback"
        ended = "killed, for it did not end" if done.code == -signal.SIGKILL else f"exit code {done.code}"
        print(f"{words[0]}: {ended}, {done.seconds:.1f} s, {done.memory:.0f} MiB, {traced}")
        told = re.findall(r"^learned from .*|^left out: \d+ more", done.said, re.MULTILINE)
        print("".join(f"    {line}\n" for line in told), end="")
    same = (asked.out / "two/findings.csv").read_bytes() == findings.read_bytes()
    print(f"two processes give the same bytes: {'yes' if same else 'no'}")


if __name__ == "__main__":
    main()
