"""Copies in a set of pictures: equal pixels, and near-copies under what is done to pictures on their way."""

from __future__ import annotations

from atypia.copies.copies import Copies, CopyPair, find_copies
from atypia.copies.grouping import cluster_ungrouped, is_cluster, with_clusters

__all__ = ["Copies", "CopyPair", "cluster_ungrouped", "find_copies", "is_cluster", "with_clusters"]
