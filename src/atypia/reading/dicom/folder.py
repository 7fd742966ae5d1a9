"""The volumes in a folder of DICOM files: which files belong together, and what is set aside and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from atypia.errors import UnreadableScan
from atypia.reading.dicom.dataset import is_dicom
from atypia.reading.dicom.frame import Frame
from atypia.reading.dicom.header import read_frames
from atypia.reading.dicom.index import Missing, Study, is_index
from atypia.reading.dicom.parting import part_frames, part_places, without_repeats
from atypia.reading.dicom.pixels import read_images
from atypia.reading.dicom.stack import MOST_MISSING, Stack, to_stack

_STRAY = "a localizer, or a stray image: fewer than three of its direction in a series of several"


@dataclass(frozen=True, eq=False)
class Series:
    """A volume that a folder holds, or why it is none.

    `name` is `series-` and the number that the scanner's console shows; what shares it is numbered on.
    `path` is the file of its first slice, `files` are all. `volume` is its number, from 0, among the volumes
    of that file, where there are several. `aside` says why a folder does not list it, though it can be read
    where its file is named. `error` says why it cannot be read at all.
    """

    name: str
    path: Path
    files: frozenset[Path]
    volume: int | None = None
    stack: Stack | None = None
    aside: str | None = None
    error: UnreadableScan | None = None


def read_series(folder: Path, files: Iterable[Path] | None = None) -> tuple[Series, ...]:
    """Return what the DICOM files of one folder hold, not those of folders in it, in order of their names.

    Headers alone are read, unless images lie in one place and must be compared. `files` are those of the
    folder that are DICOM, where that is known. Read just before and not changed since, it is not read again.
    """
    if files is None:
        files = sorted(file for file in folder.iterdir() if file.is_file() and is_dicom(file))
    return _read(_stamped(file for file in files if not is_index(file)))


def read_study(study: Study) -> tuple[Series, ...]:
    """Return what the files of a study hold that an index names, in whatever folders they lie.

    Images that are not there are told in the notes of their series; where they are more than a fifth of it,
    that is its error.
    """
    return _read(_stamped(study.files), study.missing)


def volumes_in(path: Path, beside: Iterable[Series]) -> list[Series]:
    """Return the volumes that a file is part of; those set aside only where there are no others."""
    holding = [series for series in beside if path in series.files]
    return [series for series in holding if series.aside is None] or holding


def _stamped(files: Iterable[Path]) -> tuple[tuple[Path, int, int], ...]:
    return tuple((file, *_stamp(file)) for file in files)


def _stamp(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:  # a link to nothing: reading it gives the reason
        return 0, 0
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=32)
def _read(
    stamped: tuple[tuple[Path, int, int], ...], missing: tuple[Missing, ...] = ()
) -> tuple[Series, ...]:
    frames: dict[str, list[Frame]] = defaultdict(list)
    found: list[Series] = []
    for path, _, _ in stamped:
        try:
            images = read_frames(path)
        except UnreadableScan as error:
            found.append(Series(path.name, path, frozenset({path}), error=error))
            continue
        if not images:
            found.append(Series(path.name, path, frozenset({path}), aside="an object without an image"))
        for frame in images:
            frames[frame.series or str(path)].append(frame)
    absent = {one.series: one for one in missing}
    for uid, series in frames.items():
        found += _without_some(list(_of_one_uid(series)), absent.pop(uid, None), len(series))
    found += [_without_all(one) for one in absent.values()]
    named = sorted(_with_own_names(found), key=lambda series: (series.name, series.path))
    return tuple(_numbered(named))


def _without_some(found: list[Series], missing: Missing | None, there: int) -> list[Series]:
    """Tell of images that an index names and that are not there."""
    if missing is None:
        return found
    counted = f"{missing.count} of {missing.count + there} images that the DICOMDIR names"
    few = missing.count <= MOST_MISSING * (missing.count + there)
    return [
        replace(one, stack=replace(one.stack, notes=(*one.stack.notes, f"{counted} are not there")))
        if few and one.stack is not None
        else replace(one, stack=None, error=one.error or _gone(one.path, counted))
        for one in found
    ]


def _without_all(missing: Missing) -> Series:
    counted = f"all {missing.count} images that the DICOMDIR names"
    return Series(
        _name(missing.series_number),
        missing.first,
        frozenset({missing.first}),
        error=_gone(missing.first, counted),
    )


def _gone(path: Path, counted: str) -> UnreadableScan:
    return UnreadableScan(path, "a whole series", f"one without {counted}", "Copy the whole disc again.")


def _numbered(found: Sequence[Series]) -> Iterator[Series]:
    """Number the volumes of files that hold several."""
    for series in found:
        within = volumes_in(series.path, found)
        several = len(within) > 1 and series in within
        yield replace(series, volume=within.index(series)) if several else series


def _of_one_uid(frames: Sequence[Frame]) -> Iterator[Series]:
    """Yield the volumes of one series by its UID, each reason why images are no scans by itself."""
    kinds: dict[tuple[str | None, tuple[str, str] | None], list[Frame]] = defaultdict(list)
    for frame in frames:
        kinds[frame.aside, None if frame.aside else frame.unusable].append(frame)
    for (aside, unusable), kind in kinds.items():
        if unusable is not None:
            yield _series(kind, error=UnreadableScan(kind[0].path, *unusable, "Leave it out."))
        else:
            yield from _volumes(kind, aside)


def _volumes(frames: Sequence[Frame], aside: str | None) -> Iterator[Series]:
    unique, repeats = without_repeats(frames)
    try:
        parts, strays = part_frames(unique)
    except UnreadableScan as error:
        yield _series(unique, aside=aside, error=error)
        return
    if strays:
        yield from (_one_volume(part, aside or _STRAY, 0) for part in _one_by_one(strays))
    for part in parts:
        try:
            stacks, copies = part_places(part, _same)
        except UnreadableScan as error:
            yield _series(part, aside=aside, error=error)
            continue
        for frames_of_stack in stacks:
            yield _one_volume(frames_of_stack, aside, repeats + copies)


def _one_by_one(frames: Sequence[Frame]) -> list[list[Frame]]:
    return [[frame] for frame in frames]


def _one_volume(frames: Sequence[Frame], aside: str | None, repeats: int) -> Series:
    try:
        stack = to_stack(frames)
    except UnreadableScan as error:
        return _series(frames, aside=aside, error=error)
    if repeats:
        stack = replace(stack, notes=(*stack.notes, f"{repeats} images that came twice were left out"))
    return replace(_series(frames, aside=aside), path=stack.frames[0].path, stack=stack)


def _series(
    frames: Sequence[Frame], *, aside: str | None = None, error: UnreadableScan | None = None
) -> Series:
    files = frozenset(frame.path for frame in frames)
    return Series(_name(frames[0].series_number), frames[0].path, files, aside=aside, error=error)


def _name(number: int | None) -> str:
    return "series" if number is None else f"series-{number:03d}"


def _same(one: Frame, other: Frame) -> bool:
    """Tell whether two images have the same values; what cannot be decoded has not."""
    try:
        first, second = read_images([one]), read_images([other])
        return bool(np.array_equal(next(first), next(second)))
    except UnreadableScan:
        return False


def _with_own_names(found: Sequence[Series]) -> Iterator[Series]:
    """Number those of one name, what is listed before what is set aside."""
    seen: Counter[str] = Counter()
    for series in sorted(found, key=lambda series: (series.aside is not None, series.path)):
        seen[series.name] += 1
        count = seen[series.name]
        yield series if count == 1 else replace(series, name=f"{series.name}-{count}")
