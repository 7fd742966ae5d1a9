"""Finds the pretrained weights of ResNet50: a named file, the caches, then Keras' official download."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from atypia.atomic import atomic, sweep
from atypia.cache import cache_folder
from atypia.errors import WeightsError
from atypia.progress import progress

CHUNK = 1 << 20
TIMEOUT_S = 30
MOST = 256 << 20
"""More bytes than this are not Keras' file, whatever is said of their number."""


@dataclass(frozen=True)
class Download:
    """A file on the network, and the MD5 by which its publisher knows it."""

    url: str
    md5: str

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return self.url.rpartition("/")[2]


# The address and MD5 are those of keras.applications.resnet (BASE_WEIGHTS_PATH, WEIGHTS_HASHES).
OFFICIAL = Download(
    url="https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
    "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
    md5="4d473c1dd8becc155b73f8504c6f6626",
)


def weights_folder() -> Path:
    """Return where downloaded weights are kept: under ATYPIA_CACHE where set, else the user's cache."""
    return cache_folder("weights")


def weights_at_hand(explicit: Path | None = None, *, official: Download = OFFICIAL) -> Path | None:
    """Return the weights on this machine, or None: the named file, our cache, then Keras' own cache.

    Raises WeightsError where the named file is missing or a cached one is damaged.
    """
    if explicit is not None:
        if not explicit.is_file():
            raise WeightsError(
                f"{explicit}: expected a weights file (.h5), received no file. Check --weights."
            )
        return explicit
    sweep(weights_folder())
    for path in _cached_places(official):
        if path.is_file():
            return _verified(path, official)
    return None


def obtain_weights(explicit: Path | None = None, *, official: Download = OFFICIAL) -> Path:
    """Return the weights at hand, else download Keras' official file into our cache and verify it.

    Raises WeightsError, with all the ways out, where there is neither a file nor a network, and OutputError
    where the cache cannot be written.
    """
    found = weights_at_hand(explicit, official=official)
    if found is not None:
        return found
    target = _cached_places(official)[0]
    with atomic(target) as part:
        _download(official, part)
    return target


def _cached_places(official: Download) -> tuple[Path, Path]:
    keras_home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    return weights_folder() / official.file_name, keras_home / "models" / official.file_name


def _verified(path: Path, official: Download) -> Path:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != official.md5:
        raise WeightsError(
            f"{path}: expected Keras' official file with MD5 {official.md5}, received {found}. Delete it, so "
            "that it is downloaded again; to use a file of your own, name it: --weights FILE."
        )
    return path


def _download(official: Download, part: Path) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    with part.open("wb") as file:
        for chunk in _chunks(official):
            digest.update(chunk)
            file.write(chunk)
            if file.tell() > MOST:
                raise _not_obtained(official, f"more than {MOST >> 20} MiB came")
    if digest.hexdigest() != official.md5:
        raise _not_obtained(official, f"what came has MD5 {digest.hexdigest()}, not {official.md5}")


def _chunks(official: Download) -> Iterator[bytes]:
    try:
        with urlopen(official.url, timeout=TIMEOUT_S) as answer:
            told = int(answer.headers.get("Content-Length", 0))
            pieces = iter(lambda: answer.read(CHUNK), b"")
            came = 0
            for piece in progress(
                pieces, total=-(-told // CHUNK) or None, label="ResNet50 weights", unit="MiB"
            ):
                came += len(piece)
                yield piece
            if came < told:
                raise HTTPException(f"the connection ended after {came:,} of {told:,} bytes")
    except HTTPError as error:
        with error:  # It holds the connection.
            raise _not_obtained(official, str(error)) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _not_obtained(official, str(error)) from error


def _not_obtained(official: Download, reason: str) -> WeightsError:
    return WeightsError(
        f"The ImageNet weights of ResNet50 are not on this machine and cannot be downloaded ({reason}). "
        "Do one of these:\n"
        f"  - download {official.url} elsewhere and put it at {_cached_places(official)[0]}\n"
        "  - name a Keras ResNet50 weights file without top: --weights FILE\n"
        "  - use the encoder that comes with Atypia: --encoder efficientnet-lite0"
    )
