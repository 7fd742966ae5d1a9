"""What the node counts for Prometheus; no label names a patient, a study or a sender."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

INSTANCES = Counter(
    "atypia_node_instances",
    "Instances that were sent to the node, by how and what became of them",
    ("by", "outcome"),
    registry=None,
)
BYTES = Counter("atypia_node_bytes", "Bytes of the instances that were stored", registry=None)
ASSOCIATIONS = Gauge("atypia_node_associations", "Connections that are open at the DICOM node", registry=None)
REFUSED = Counter(
    "atypia_node_refused",
    "Connections that were closed or refused at once, by reason",
    ("why",),
    registry=None,
)
STUDIES = Counter(
    "atypia_node_studies", "Complete studies, by what became of them", ("outcome",), registry=None
)
DELIVERIES = Counter(
    "atypia_deliveries_tried", "Results sent to a peer, by how it went", ("outcome",), registry=None
)
ALL = (INSTANCES, BYTES, ASSOCIATIONS, REFUSED, STUDIES, DELIVERIES)
"""For a registry to register: they belong to the process, as the node does."""
