"""Run one target under atheris: `python -m fuzz NAME CORPUS [options of libFuzzer]`.

Seeds are put into CORPUS; what is found is written beside that folder.
"""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from random import Random

import atheris

TARGETS = ("picture", "nifti", "dicom", "table", "artefact", "service")
LIMITS = ("-timeout=5", "-rss_limit_mb=1024")
"""No input may take longer, or more memory: a finding, as a crash is."""
WATCHED = ("atypia", "PIL", "nibabel", "pydicom", "python_multipart", "onnx")
"""Packages whose branches are told to the fuzzer; those of compiled code it does not see."""


def main(words: list[str]) -> None:
    """Write the seeds, watch the branches of what the target names, and run until libFuzzer stops."""
    if len(words) < 2 or words[0] not in TARGETS:
        raise SystemExit(f"Usage: python -m fuzz {{{','.join(TARGETS)}}} CORPUS [-max_total_time=30 ...]")
    corpus = Path(words[1])
    # In a process of its own: what makes seeds is much larger than what reads them, and memory is bounded.
    subprocess.run([sys.executable, "-m", "fuzz.planting", words[0], corpus], check=True)
    with atheris.instrument_imports(include=list(WATCHED)):
        target = import_module(f"fuzz.{words[0]}").TARGET
        for seed in sorted(corpus.glob("seed-*")):
            target.run(seed.read_bytes())  # imports what is imported late

    def changed(data: bytes, longest: int, seed: int) -> bytes:
        chance = Random(seed)
        if chance.random() < 0.7:
            try:
                made = target.change(data, chance)
            except Exception:  # not every input can be taken apart
                made = b""
            if 0 < len(made) <= longest:
                return made
        return bytes(atheris.Mutate(data, longest))

    limits = (*LIMITS, f"-max_len={target.longest}", f"-artifact_prefix={corpus.parent}/{words[0]}-")
    atheris.Setup([sys.argv[0], *limits, *words[2:], str(corpus)], target.run, custom_mutator=changed)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
