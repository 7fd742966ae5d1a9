"""Objects in a store such as S3, named by paths that begin with its scheme; reached by fsspec.

`Path("s3://bucket/key")` keeps one slash of the two; what is told or fetched goes through `address`.
Where a store is, and with whose credentials, is told by the environment, as its own tools read it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from atypia.errors import MissingExtra, StoreFailed

SCHEMES = ("s3", "gs")
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs"}

MOST_BYTES = 512 * 2**20
"""The largest object that is fetched as one scan."""

_OF_ONE_OBJECT = (FileNotFoundError, PermissionError, IsADirectoryError)
_OF_CREDENTIALS = (
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
)


def is_remote(path: Path) -> bool:
    """Tell by its beginning whether a path names an object, or a prefix, in a store.

    >>> is_remote(Path("s3://bucket/scan.png")), is_remote(Path("scans/s3.png"))
    (True, False)
    """
    first, colon, _ = str(path).partition(":")
    return bool(colon) and first in SCHEMES


def address(path: Path) -> str:
    """Return a path as it was typed.

    >>> address(Path("s3://bucket/scan.png"))
    's3://bucket/scan.png'
    """
    scheme, _, rest = path.as_posix().partition(":")
    return f"{scheme}://{rest.lstrip('/')}" if is_remote(path) else str(path)


def fetch(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return the content of an object.

    Raises FileNotFoundError, PermissionError or another OSError for what ails this object alone, StoreFailed
    where the store cannot be reached or takes none of our credentials.
    """
    with _told(path):
        try:
            content: bytes = _store(path).cat_file(address(path), start=0, end=most + 1)
        except OSError as error:
            if _code(error) in ("416", "InvalidRange"):  # what a store says of an object without bytes
                return b""
            raise
    if len(content) > most:
        raise OSError(errno.EFBIG, f"an object of more than {most:,} bytes")
    return content


def fetch_all(paths: Sequence[Path]) -> list[bytes]:
    """Return the contents of small objects, fetched side by side; raises as `fetch`."""
    if not paths:
        return []
    with _told(paths[0]):
        found = _store(paths[0]).cat([address(path) for path in paths], on_error="raise")
    by_key = {_key(name): content for name, content in found.items()}
    return [by_key[_key(address(path))] for path in paths]


def put(path: Path, content: bytes, *, new: bool = False) -> None:
    """Write an object in one request, so that it is there whole or not at all; raises as `fetch`.

    With `new` it must not be there yet: FileExistsError where it is.
    """
    with _told(path):
        try:
            _store(path).pipe_file(address(path), content, mode="create" if new else "overwrite")
        except OSError as error:
            if new and _code(error) in ("412", "PreconditionFailed", "409", "ConditionalRequestConflict"):
                raise FileExistsError(errno.EEXIST, "an object of this name", address(path)) from error
            raise


def listing(path: Path) -> dict[Path, int]:
    """Return all objects below a prefix, sorted, with their sizes in bytes; none where there is none.

    A name that a path cannot keep, as one with two slashes in a row, is left out. Raises as `fetch`.
    """
    with _told(path):
        store = _store(path)
        store.invalidate_cache()
        try:
            found = store.find(address(path), detail=True)
        except FileNotFoundError:
            return {}
    scheme = address(path).partition(":")[0]
    names = {f"{scheme}://{name}": int(one.get("size") or 0) for name, one in found.items()}
    kept = {Path(name): size for name, size in names.items() if address(Path(name)) == name}
    return dict(sorted(kept.items()))


def remove(paths: Sequence[Path]) -> None:
    """Remove objects; raises as `fetch`."""
    if paths:
        with _told(paths[0]):
            _store(paths[0]).rm([address(path) for path in paths])


def demand_reachable(paths: Sequence[Path]) -> None:
    """Raise StoreFailed where of each bucket that paths name none out of three can be asked for.

    One that is not there is no failure of its store.
    """
    buckets: dict[tuple[str, ...], list[Path]] = {}
    for path in paths:
        buckets.setdefault(path.parts[:2], []).append(path)
    for named in buckets.values():
        refused: list[Exception] = []
        tried = [named[place] for place in sorted({0, len(named) // 2, len(named) - 1})]
        for path in tried:
            try:
                with _told(path):
                    _store(path).info(address(path))
            except FileNotFoundError:
                continue
            except OSError as error:
                refused.append(error)
        if len(refused) == len(tried):
            raise _failed(tried[0], refused[0])


def _store(path: Path) -> Any:
    """Return the file system of a path's scheme; raise MissingExtra where its package is not there."""
    scheme = address(path).partition(":")[0]
    try:
        import fsspec

        return fsspec.filesystem(scheme)  # one for all threads, as fsspec keeps it
    except ImportError as error:
        if scheme == "s3":
            raise MissingExtra("Reading or writing s3:// addresses", "remote") from error
        raise MissingExtra(
            f"Reading or writing {scheme}:// addresses", "remote", package=_PACKAGES[scheme]
        ) from error


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what a store and its tools raise into what ails one object, an OSError, or the store itself."""
    try:
        yield
    except (MissingExtra, StoreFailed):
        raise
    except OSError as error:
        if isinstance(error, _OF_ONE_OBJECT) and _code(error) not in _OF_CREDENTIALS:
            raise
        if isinstance(error, ConnectionError | TimeoutError) or _code(error) in _OF_CREDENTIALS:
            raise _failed(path, error) from error
        if error.errno in (errno.EBUSY, errno.EREMOTEIO):  # it is overloaded, and was after all retries
            raise _failed(path, error) from error
        raise
    except Exception as error:  # the tools of a store raise what they like where it does not answer
        raise _failed(path, error) from error


def _failed(path: Path, error: Exception) -> StoreFailed:
    words = str(error).rstrip(".") or type(error).__name__
    return StoreFailed(
        f"{address(path)}: expected an object store that answers and takes our credentials, received: "
        f"{words}. Check the address, the network, and the credentials in the environment, and give the "
        "same command again."
    )


def _code(error: BaseException) -> str:
    """Return the code that a store gave for what went wrong, empty where it gave none."""
    answer = getattr(error.__cause__, "response", None)
    return str(answer["Error"].get("Code", "")) if isinstance(answer, dict) and "Error" in answer else ""


def _key(name: str) -> str:
    return name.partition("://")[2] or name
