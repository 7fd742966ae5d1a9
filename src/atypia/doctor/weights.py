"""Whether the weights that come with Atypia, and those that were downloaded, are what was published."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.resources import files

from atypia.doctor.check import Check, note, ok, problem
from atypia.encoders.weights import weights_at_hand
from atypia.errors import WeightsError

SHIPPED = {
    "pretrained/synthetic.atypia": "c6031188417261c92e6af487b14d25b88a4146842c4f4deb8bd9299f472ead8d",
    "encoders/efficientnet_lite0.onnx": "9a92e2c4e13c1d5ace5059bfe140b8bc164403c38153433f700d837953f3402e",
}
"""SHA-256 of each file, by its place in the package."""


def shipped() -> Iterator[Check]:
    """Tell whether what comes with Atypia is as it was published, and what was downloaded is."""
    wrong = [name for name, sha256 in SHIPPED.items() if _hash(name) != sha256]
    if wrong:
        yield problem(
            "weights",
            f"{', '.join(wrong)}: missing, damaged or changed. Install it again: "
            "pip install --force-reinstall atypia",
        )
    else:
        yield ok("weights", f"{len(SHIPPED)} files that come with Atypia are as they were published")
    try:
        found = weights_at_hand()
    except WeightsError as error:
        yield problem("weights", str(error))
        return
    if found is None:
        yield note(
            "weights", "those of ResNet50 are not on this machine: --encoder auto takes EfficientNet-lite0"
        )
    else:
        yield ok("weights", f"ResNet50: {found}")


def _hash(name: str) -> str | None:
    try:
        return hashlib.sha256(files("atypia").joinpath(name).read_bytes()).hexdigest()
    except OSError:
        return None
