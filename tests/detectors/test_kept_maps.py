from __future__ import annotations

import numpy as np

from atypia.detectors.kept_maps import KeptMaps


def test_what_is_kept_comes_back_batch_by_batch_as_often_as_asked(rng):
    parts = [[rng.random((count, 4, 4), dtype=np.float32) for _ in range(3)] for count in (5, 2)]
    with KeptMaps() as kept:
        for part in parts:
            kept.add(part)
        for _ in range(2):
            again = list(kept)
            assert len(again) == len(parts)
            for found, expected in zip(again, parts, strict=True):
                assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
