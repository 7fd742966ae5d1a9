"""From candidates to clusters: what a closer look confirms is joined, and chains of neighbours are broken."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atypia.copies.alignment import KIN, LIKE, similarities
from atypia.copies.candidates import Candidates
from atypia.copies.clusters import Clusters
from atypia.copies.pose import INVERSE, THEN
from atypia.copies.thumbnail import Thumbnails
from atypia.progress import progress

BATCH, SHARE = 256, 64


@dataclass(frozen=True)
class Link:
    """Two places that show one picture, the pose of the first that gives the second, and their similarity."""

    first: int
    second: int
    pose: int
    similarity: float


def confirmed(thumbnails: Thumbnails, candidates: Candidates, count: int, workers: int) -> list[Link]:
    """Return links that connect what belongs together, the nearest candidates first, each cluster once."""
    clusters, links = Clusters(count), list[Link]()
    starts = range(0, len(candidates), BATCH)
    with ThreadPoolExecutor(workers) as pool:
        for start in progress(starts, total=len(starts), label="verifying copies", unit="batch"):
            part = slice(start, start + BATCH)
            first, second = candidates.first[part], candidates.second[part]
            apart = clusters.apart(first, second)
            first, second, pose = first[apart], second[apart], candidates.pose[part][apart]
            found = _compared(pool, thumbnails, first, second, pose)
            for index in np.flatnonzero(found >= LIKE):
                one, other = int(first[index]), int(second[index])
                if clusters.find(one) != clusters.find(other):
                    clusters.join(one, other)
                    links.append(Link(one, other, int(pose[index]), float(found[index])))
    return links


def without_chains(thumbnails: Thumbnails, links: list[Link], workers: int) -> list[Link]:
    """Return the links of clusters in which every picture is alike to one, their centre.

    Of a thin-sliced volume each slice may be all but equal to the next, and the first has nothing to do with
    the last. What is too unlike the centre of its cluster, the picture with most links, is cut off, with the
    links that cross the cut, and what was cut off is looked at again.
    """
    kept: list[Link] = []
    with ThreadPoolExecutor(workers) as pool:
        while links:
            members, centres, poses = _seen_from_centres(links)
            alike = np.ones(len(members), np.float32)
            far = members != centres
            alike[far] = _compared(pool, thumbnails, centres[far], members[far], poses[far], thorough=True)
            near = dict(zip(members.tolist(), (alike >= KIN).tolist(), strict=True))
            whole = [link for link in links if near[link.first] and near[link.second]]
            stars = zip(centres.tolist(), members.tolist(), poses.tolist(), alike.tolist(), strict=True)
            kept += _connected(whole, [Link(*star) for star in stars if star[3] >= KIN], len(thumbnails.flat))
            links = [link for link in links if not near[link.first] and not near[link.second]]
    return kept


def _connected(links: list[Link], stars: list[Link], count: int) -> list[Link]:
    """Return the links, and those from centres where what linked a picture to its centre was cut off."""
    clusters, bridges = Clusters(count), list[Link]()
    for link in links:
        clusters.join(link.first, link.second)
    for star in stars:
        if clusters.find(star.first) != clusters.find(star.second):
            clusters.join(star.first, star.second)
            bridges.append(star)
    return [*links, *bridges]


def _compared(
    pool: ThreadPoolExecutor, thumbnails: Thumbnails, *columns: NDArray[np.integer], thorough: bool = False
) -> NDArray[np.float32]:
    """Return the similarities of pairs; shares of one size, so that the threads change no digit."""
    starts = range(0, len(columns[0]), SHARE)
    shares = ([column[start : start + SHARE] for column in columns] for start in starts)
    waiting = [pool.submit(similarities, thumbnails, *share, thorough=thorough) for share in shares]
    return np.concatenate([np.zeros(0, np.float32), *(future.result() for future in waiting)])


def _seen_from_centres(
    links: list[Link],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8]]:
    """Return each linked place, the centre of its cluster, and the pose of the centre that gives it."""
    beside: dict[int, list[tuple[int, int]]] = {}
    for link in links:
        beside.setdefault(link.first, []).append((link.second, link.pose))
        beside.setdefault(link.second, []).append((link.first, int(INVERSE[link.pose])))
    found: dict[int, tuple[int, int]] = {}
    for centre in sorted(beside, key=lambda place: (-len(beside[place]), place)):
        if centre in found:
            continue
        found[centre] = (centre, 0)
        waiting = [centre]
        while waiting:
            place = waiting.pop()
            for other, pose in beside[place]:
                if other not in found:
                    found[other] = (centre, int(THEN[found[place][1], pose]))
                    waiting.append(other)
    members = np.array(list(found), np.int64)
    centres = np.array([centre for centre, _ in found.values()], np.int64)
    return members, centres, np.array([pose for _, pose in found.values()], np.int8)
