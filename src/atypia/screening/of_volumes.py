"""What is written of whole volumes while the findings of their slices come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from atypia.errors import UnreadableScan
from atypia.reading.row import Row
from atypia.scan import Finding
from atypia.screener import Screener
from atypia.screening.results import Result
from atypia.volume_finding import Maker, VolumeFinding
from atypia.writing.volume_gathering import VolumeGathering
from atypia.writing.volume_nifti import write_slices_to_look_at
from atypia.writing.volume_regions import VolumeRegionsWriter
from atypia.writing.volumes import VolumesWriter


class VolumesToFolder:
    """Writes `volumes.KIND`, `volume_regions.KIND` and the results asked for, a volume at a time.

    With `pictures` the slices to look at are drawn as well. With `keep_identifiers` the table of volumes
    names patient, study and series of DICOM. `before` is the number of volumes before the first.
    The findings must have heat maps. Use it in a `with` statement; `finish` before it ends. `regions` counts
    those written, `folders` are those with results, and `left_out` says, by the kind of a result, why it was
    not made of some volume.
    """

    def __init__(
        self,
        screener: Screener,
        maker: Maker,
        out: Path,
        kind: str,
        results: Mapping[str, Result],
        *,
        pictures: bool,
        keep_identifiers: bool = False,
        before: int = 0,
    ) -> None:
        # Only where groups are patients can a volume be compared with healthy ones.
        threshold = screener.threshold_ if screener.provenance.get("grouped") else None
        self._gathering = VolumeGathering(threshold, maps=True, planes=screener.planes_, before=before)
        self._rows = VolumesWriter(out / f"volumes.{kind}", keep_identifiers=keep_identifiers)
        self._regions = VolumeRegionsWriter(out / f"volume_regions.{kind}")
        self._maker, self._out, self._results, self._pictures = maker, out, results, pictures
        self.regions = 0
        self.folders: set[Path] = set()
        self.left_out: dict[str, str] = {}

    @property
    def count(self) -> int:
        """The number of volumes so far, with those before."""
        return self._gathering.count

    @property
    def table(self) -> Path:
        """The table of volumes."""
        return self._rows.path

    @property
    def regions_table(self) -> Path:
        """The table of their regions."""
        return self._regions.path

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._rows)
            stack.enter_context(self._regions)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(self, row: Row, finding: Finding) -> None:
        """Add what was found of one scan; of a picture, nothing. Raises OutputError."""
        self._write(self._gathering.add(row, finding))

    def finish(self) -> None:
        """Write the volume whose slices came last; raise OutputError."""
        self._write(self._gathering.finish())

    def _write(self, finding: VolumeFinding | None) -> None:
        if finding is None:
            return
        files: list[Path] = []
        if finding.judged:
            if self._pictures:
                files += self._result("pictures", _PICTURES, finding)
            for kind, result in self._results.items():
                files += self._result(kind, result, finding)
        self.folders.update(path.parent for path in files)
        self._rows.write(finding, files)
        self._regions.write(finding)
        self.regions += len(finding.regions)

    def _result(self, kind: str, result: Result, finding: VolumeFinding) -> Sequence[Path]:
        if not result.applies(finding):
            self.left_out[kind] = result.otherwise
            return ()
        try:
            return result.write(finding, self._maker, self._out)
        except UnreadableScan as error:  # its files changed meanwhile, or hold what this kind cannot take
            self.left_out[kind] = error.brief
            return ()


def _pictures(finding: VolumeFinding, maker: Maker, out: Path) -> Sequence[Path]:
    return write_slices_to_look_at(finding, maker, out / "heatmaps")


_PICTURES = Result(_pictures, ("heatmaps/*.png",))
