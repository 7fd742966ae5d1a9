"""Tables and other texts of users: lists of scans, findings to monitor, recipes, settings, `--set` words.

The first line of an input says which of `_KINDS` follows.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

from atypia.cli.settings import detector_settings, recipe_of
from atypia.cluster.sweep import read_sweep
from atypia.errors import AtypiaError
from atypia.monitoring.stream import read_streams
from atypia.reading.table import read_table
from atypia.service.settings import read_settings
from fuzz.place import written
from fuzz.target import Seed, Target, scramble

_SCANS = """path,label,split,group,kind,mask,plane,sequence,scanner,slice,volume
a.png,normal,train,p1,,,axial,T1,x,,
"b,c.png",abnormal,test,p2,glioma,m/b.png,,FLAIR,,,
v.nii.gz,normal,threshold,p3,,,axial,T2,,12,mean
"""
_FINDINGS = """name,score,p_value,stratum,unfit
a.png,1.5,0.25,axial T1,
b.png,2.5,0.01,,
c.png,,,,not a head
"""
_LINES = '{"name": "a", "p_value": 0.5, "stratum": null}\n{"name": "b", "p_value": 1, "unfit": "x"}\n'
_SWEEP = """[defaults]
seed = 3
[[fit]]
scans = ["a", "b.csv"]
out = "a.atypia"
set = ["width=2", "cut=x"]
[[fit]]
scans = "c"
out = "b.atypia"
no_fitness = true
"""
_SERVICE = """host = "127.0.0.1"
port = 8765
keep_names = false
[limits]
upload_bytes = 1000000
[access]
auth = true
"""
_WORDS = "epochs=3\nwidth=8\ncut=a,b\nnoise=0.1\nsmoothing=1.5\nmembers=nearest,atlas\nneighbours=5\n"
_TOKENS = (
    "9" * 5000, "-1", "1e999", "nan", "\0", "\ufeff", '"', "'", ",", ";", "\t", "\r", "\n",
    "[" * 2000, "{}" * 9, "..",
    "/" * 300, "a" * 5000, "true", "none", "mean", "²", "٣", "=", "é", "s3://b/k", "abnormal",
    "tumor_test", ".nii", "\\",
)  # fmt: skip


def seeds() -> Iterator[Seed]:
    """Make one text of each kind, and a table of scans and of findings in Parquet."""
    for number, (name, text) in enumerate((
        ("scans", _SCANS), ("scans", _SCANS.replace(",", ";")), ("findings", _FINDINGS), ("lines", _LINES),
        ("sweep", _SWEEP), ("service", _SERVICE), ("words", _WORDS),
    )):  # fmt: skip
        yield f"{name}-{number}", f"{name}\n{text}".encode()
    for name, text in (("packed-scans", _SCANS), ("packed-findings", _FINDINGS)):
        for packing in ("snappy", "zstd", "none"):
            yield f"{name}-{packing}", name.encode() + b"\n" + _packed(text, packing)


def _packed(text: str, packing: str) -> bytes:
    import pyarrow.csv
    import pyarrow.parquet

    buffer = io.BytesIO()
    table = pyarrow.csv.read_csv(io.BytesIO(text.encode()))
    pyarrow.parquet.write_table(table, buffer, compression=packing)
    return buffer.getvalue()


def change(data: bytes, chance: Random) -> bytes:
    """Put a token into a text, move or double a line or a cell, or change bytes of a packed table."""
    name, _, rest = data.partition(b"\n")
    if name.startswith(b"packed"):
        return name + b"\n" + scramble(rest, chance)
    way = chance.randrange(4)
    if way == 0:
        return name + b"\n" + scramble(rest, chance)
    mark = chance.choice((b"\n", b",", b"=", b'"'))
    parts = rest.split(mark)
    at = chance.randrange(len(parts))
    if way == 1:
        parts[at] = chance.choice(_TOKENS).encode()
    elif way == 2:
        parts.insert(chance.randrange(len(parts) + 1), parts[at])
    else:
        parts[at] += chance.choice(_TOKENS).encode()
    return name + b"\n" + mark.join(parts)


def run(data: bytes) -> None:
    """Read a text as what its first line says it is."""
    name, _, rest = data.partition(b"\n")
    read = _KINDS.get(name.decode("ascii", "replace"))
    if read is not None:
        with suppress(AtypiaError):
            read(rest)


def _scans(suffix: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        with written(data, f"t{suffix}") as path:
            for row in read_table(path, Path("/nowhere")):
                assert row.name

    return read


def _findings(suffix: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        with written(data, f"t{suffix}") as path:
            assert read_streams([path]).rows

    return read


def _sweep(data: bytes) -> None:
    with written(data, "recipe.toml") as path:
        assert read_sweep(path)


def _service(data: bytes) -> None:
    text = data.decode("utf-8", "replace").replace("\0", "")
    environment = {"ATYPIA_SERVE_PORT": text[:9], "ATYPIA_SERVE_LIMITS__UPLOAD_BYTES": text[-9:]}
    with written(data, "serve.toml") as path:
        with suppress(AtypiaError):
            read_settings(path, {}, {})
        read_settings(None, {}, environment)


def _words(data: bytes) -> None:
    words = tuple(data.decode("utf-8", "replace").splitlines())
    for one in words:
        with suppress(AtypiaError):
            recipe_of("autoencoder", (one,))
        for detector in ("intensity", "nearest", "ensemble", "lesion-simulation"):
            with suppress(AtypiaError):
                detector_settings(detector, [one])
    recipe_of("autoencoder", words)


_KINDS: dict[str, Callable[[bytes], None]] = {
    "scans": _scans(".csv"),
    "packed-scans": _scans(".parquet"),
    "findings": _findings(".csv"),
    "lines": _findings(".jsonl"),
    "packed-findings": _findings(".parquet"),
    "sweep": _sweep,
    "service": _service,
    "words": _words,
}
TARGET = Target("table", seeds, change, run)
