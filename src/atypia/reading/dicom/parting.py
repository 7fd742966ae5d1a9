"""Parts the images of a series into volumes: by direction and size, and by what differs in one place.

A series may hold several echoes, b-values or times, and the same image twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

import numpy as np

from atypia.errors import UnreadableScan
from atypia.reading.dicom.frame import Frame, Vector
from atypia.reading.dicom.stack import along_normal

Same = Callable[[Frame, Frame], bool]

_SAME_PLACE = 0.01  # mm
_FEW = 3
_MOST_GEOMETRIES = 500


def part_frames(frames: Sequence[Frame]) -> tuple[list[list[Frame]], list[Frame]]:
    """Return the images by direction, size and spacing, and those of strays.

    A stray is an image of a series of several directions that has fewer than three of its own: a localizer,
    or one that does not belong there. Raises UnreadableScan for more geometries than any series has.
    """
    parts = _by_geometry(frames)
    if all(_close(part[0].orientation, parts[0][0].orientation, 0.01) for part in parts):
        return parts, []
    strays = [frame for part in parts if len(part) < _FEW for frame in part]
    return [part for part in parts if len(part) >= _FEW], strays


def without_repeats(frames: Sequence[Frame]) -> tuple[list[Frame], int]:
    """Return the images without those whose UID has come before, and how many were left out."""
    seen: dict[tuple[str, int | None], Frame] = {}
    for frame in frames:
        seen.setdefault((frame.instance or str(frame.path), frame.number), frame)
    return list(seen.values()), len(frames) - len(seen)


def part_places(frames: Sequence[Frame], same: Same) -> tuple[list[list[Frame]], int]:
    """Return images that share direction and size by what sets those of one place apart, and the copies.

    `same` tells whether two images show the same; the later of two such is a copy and left out. Raises
    UnreadableScan where images of one place differ and nothing in their headers says in what.
    """
    if not _repeated(frames):
        return [list(frames)], 0
    if parts := _told_apart(frames, least=0.5):
        return parts, 0
    kept = _without_copies(frames, same)
    parts = _told_apart(kept, least=0) if _repeated(kept) else [kept]
    if not parts:
        raise UnreadableScan(
            frames[0].path,
            "one image for each place",
            f"{len(kept)} for {len(kept) - len(_repeated(kept))} places, with headers that do not differ",
            "Export each echo, direction or time as a series of its own.",
        )
    return parts, len(frames) - len(kept)


def _told_apart(frames: Sequence[Frame], least: float) -> list[list[Frame]]:
    """Part images by the first of their variants, or the first few, that tells those of one place apart.

    No part is more than images share a place, none smaller than this share of the largest; there are
    none where no variant does it.
    """
    count, most = len(frames[0].variants), _most_in_one_place(frames)
    choices = [(one,) for one in range(count)] + [tuple(range(last + 1)) for last in range(1, count)]
    for chosen in choices:
        parts = _by_variants(frames, chosen)
        sizes = [len(part) for part in parts]
        even = len(parts) <= most and min(sizes) >= least * max(sizes)
        if even and not any(_repeated(part) for part in parts):
            return parts
    return []


def _by_geometry(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Part images by what those of one volume share: size, spacing, and direction to half a degree."""
    parts: list[list[Frame]] = []
    for frame in frames:
        part = next((part for part in parts if _fits(part[0], frame)), None)
        if part is None:
            parts.append([frame])
            if len(parts) > _MOST_GEOMETRIES:  # each image is compared with all of them
                raise UnreadableScan(
                    frame.path,
                    f"a series of at most {_MOST_GEOMETRIES} directions, sizes and spacings",
                    "one of more",
                    "Export each stack as a series of its own.",
                )
        else:
            part.append(frame)
    return parts


def _fits(one: Frame, other: Frame) -> bool:
    return (
        one.size == other.size
        and _close(one.spacing, other.spacing, 0.001)
        and _close(one.orientation, other.orientation, 0.01)
    )


def _close(one: Vector | None, other: Vector | None, apart: float) -> bool:
    if one is None or other is None:
        return one is other
    return all(abs(a - b) <= apart for a, b in zip(one, other, strict=True))


def _by_variants(frames: Sequence[Frame], chosen: tuple[int, ...]) -> list[list[Frame]]:
    parts: dict[Hashable, list[Frame]] = defaultdict(list)
    for frame in frames:
        parts[tuple(frame.variants[one] for one in chosen)].append(frame)
    return list(parts.values())


def _repeated(frames: Sequence[Frame]) -> list[tuple[Frame, Frame]]:
    """Return the pairs of neighbours along the normal that lie in one place."""
    if len(frames) < 2 or any(frame.position is None or frame.orientation is None for frame in frames):
        return []
    heights = along_normal(frames)
    order = np.argsort(heights, kind="stable")
    close = np.flatnonzero(np.diff(heights[order]) < _SAME_PLACE)
    return [(frames[order[place]], frames[order[place + 1]]) for place in close]


def _most_in_one_place(frames: Sequence[Frame]) -> int:
    heights = np.sort(along_normal(frames))
    places = np.cumsum(np.diff(heights, prepend=heights[0]) >= _SAME_PLACE)
    return int(np.bincount(places).max())


def _without_copies(frames: Sequence[Frame], same: Same) -> list[Frame]:
    copies = {id(later) for first, later in _repeated(frames) if same(first, later)}
    return [frame for frame in frames if id(frame) not in copies]
