from __future__ import annotations

from types import SimpleNamespace

import pytest

from atypia.cluster.connection import Cluster
from atypia.cluster.settings import Workers


@pytest.mark.parametrize(
    ("workers", "room"),
    [
        (Workers(), 12),
        (Workers(cpus=4), 3),
        (Workers(cpus=2, gpus=0.1), 4),
        (Workers(gpus=0.1), 8),
        (Workers(gpus=0.3), 3),
        (Workers(gpus=2), 0),
    ],
)
def test_room_is_counted_node_by_node(workers, room):
    nodes = [
        {"Alive": True, "Resources": {"CPU": 8.0, "GPU": 1.0}},
        {"Alive": True, "Resources": {"CPU": 4.0}},
        {"Alive": False, "Resources": {"CPU": 99.0, "GPU": 9.0}},
    ]
    context = SimpleNamespace(gcs_address="127.0.0.1:1")
    ray = SimpleNamespace(nodes=lambda: nodes, get_runtime_context=lambda: context)
    assert Cluster(ray).room_for(workers) == room
