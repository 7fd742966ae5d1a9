"""The kinds of results that are written of each volume: one function each, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from atypia.errors import BadOption
from atypia.reading.dicom import is_dicom
from atypia.volume_finding import Maker, VolumeFinding

Write = Callable[[VolumeFinding, Maker, Path], Sequence[Path]]


@dataclass(frozen=True)
class Result:
    """One kind of result: `write(finding, maker, out)` writes it below the folder and returns its files.

    The files of a volume are called by its number: `volume-0001...`. `files` are the patterns, below the
    folder, of all that it may ever write, so that those of an earlier run can be removed.
    `applies` tells whether it can be made of a volume; where not, `otherwise` says why, once in a run.
    `check` is called before any scan is read: it raises MissingExtra where what it needs is not installed.
    `needs` are other kinds that this one refers to, and that are written with it.
    """

    write: Write
    files: tuple[str, ...]
    applies: Callable[[VolumeFinding], bool] = lambda _finding: True
    otherwise: str = ""
    check: Callable[[], None] = lambda: None
    needs: tuple[str, ...] = ()


def _nifti(finding: VolumeFinding, maker: Maker, out: Path) -> Sequence[Path]:
    from atypia.writing.volume_nifti import write_volume_nifti

    return write_volume_nifti(finding, maker, out / "heatmaps")


def _html(finding: VolumeFinding, maker: Maker, out: Path) -> Sequence[Path]:
    from atypia.report.volume import write_volume_page

    return [write_volume_page(finding, maker, out / "pages")]


def _seg(finding: VolumeFinding, maker: Maker, out: Path) -> Sequence[Path]:
    from atypia.writing.dicom import write_segmentation

    return write_segmentation(finding, maker, out / "dicom")


def _sr(finding: VolumeFinding, maker: Maker, out: Path) -> Sequence[Path]:
    from atypia.writing.dicom import write_report

    return write_report(finding, maker, out / "dicom")


def _sc(finding: VolumeFinding, maker: Maker, out: Path) -> Sequence[Path]:
    from atypia.writing.dicom import write_capture

    return write_capture(finding, maker, out / "dicom")


def _highdicom() -> None:
    from atypia.writing.dicom import demand_highdicom

    demand_highdicom()


def _from_dicom(finding: VolumeFinding) -> bool:
    return is_dicom(finding.path)


def _in_dicom(write: Write, name: str, needs: tuple[str, ...] = ()) -> Result:
    return Result(write, (f"dicom/{name}.dcm",), _from_dicom, _NOT_DICOM, _highdicom, needs)


_NOT_DICOM = "they are no DICOM series, and it belongs into the study of one"

RESULTS: dict[str, Result] = {
    "nifti": Result(_nifti, ("heatmaps/*.nii.gz",)),
    "html": Result(_html, ("pages/volume-*.html",)),
    "seg": _in_dicom(_seg, "volume-*-seg"),
    "sr": _in_dicom(_sr, "volume-*-sr", needs=("seg",)),
    "sc": _in_dicom(_sc, "volume-*-sc-*"),
}
"""Name of a kind -> how it is made. Every entry that is added here can be asked for with `--results`."""


def results_of(kinds: Sequence[str]) -> dict[str, Result]:
    """Return the kinds asked for, and those they need, each once, in the order of RESULTS.

    Raises BadOption for one not known.
    """
    unknown = [kind for kind in kinds if kind not in RESULTS]
    if unknown:
        raise BadOption(
            f"Expected kinds of results out of {', '.join(RESULTS)}, with commas between them; "
            f"received {', '.join(map(repr, unknown))}."
        )
    needed = {need for kind in kinds for need in RESULTS[kind].needs}
    return {kind: result for kind, result in RESULTS.items() if kind in kinds or kind in needed}
