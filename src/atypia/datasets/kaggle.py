"""Fetching the archive of a Kaggle set through kagglehub's client: its account, its resuming, its checksum.

`kagglehub.dataset_download` itself is not used, because it unpacks whatever came without looking at it.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, redirect_stderr
from dataclasses import dataclass
from pathlib import Path

from atypia.errors import DownloadFailed, MissingExtra

ADVICE = {
    401: "Kaggle refused the account: check KAGGLE_API_TOKEN, or the files in ~/.kaggle.",
    403: "Kaggle wants an account: accept the terms on the page of the set, make a token on the page of the "
    "account, and put it into KAGGLE_API_TOKEN.",
    404: "Kaggle has no such set any more.",
}


@dataclass(frozen=True)
class Download:
    """An archive on disk, and the version of the set that it holds."""

    archive: Path
    version: int


def fetch_archive(handle: str, folder: Path) -> Download:
    """Download the newest archive of the set OWNER/NAME, going on where an earlier download stopped.

    Works without an account where the set allows that; kagglehub finds an account in the environment or in
    ~/.kaggle. Raise MissingExtra without kagglehub, DownloadFailed where nothing usable came.
    """
    try:
        from kagglehub.exceptions import DataCorruptionError
        from kagglehub.http_resolver import ApiGetDatasetRequest  # noqa: F401 (absent before kagglehub 1.0)
        from requests import HTTPError, RequestException
    except ImportError as error:
        raise MissingExtra("Fetching a set from Kaggle", "kaggle") from error
    try:
        with _quiet():
            return _fetch(handle, folder)
    except HTTPError as error:
        status = 0 if error.response is None else error.response.status_code
        received = f"expected an archive, received HTTP status {status}"
        raise DownloadFailed(f"{handle}: {received}. {ADVICE.get(status, 'Try again later.')}") from error
    except (ValueError, TypeError) as error:
        hint = "Is a proxy or a login page in between?"
        raise DownloadFailed(f"{handle}: the answer is not one of Kaggle's. {hint} ({error})") from error
    except DataCorruptionError as error:
        hint = "It was removed; run the same command again."
        raise DownloadFailed(f"{handle}: what came does not match its checksum. {hint}") from error
    except RequestException as error:
        hint = "Check the network and run the same command again: it goes on where it stopped."
        reason = _first_reason(error)
        raise DownloadFailed(f"{handle}: the download could not be finished. {hint} ({reason})") from error


def _first_reason(error: BaseException) -> str:
    """Return what began a chain of exceptions, for the outer ones are told in the words of libraries."""
    while error.__context__ is not None:
        error = error.__context__
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _fetch(handle: str, folder: Path) -> Download:
    from kagglehub.clients import build_kaggle_client, download_file
    from kagglehub.exceptions import handle_call
    from kagglehub.handle import parse_dataset_handle
    from kagglehub.http_resolver import ApiDownloadDatasetRequest, ApiGetDatasetRequest

    parsed = parse_dataset_handle(handle)
    about, wanted = ApiGetDatasetRequest(), ApiDownloadDatasetRequest()
    about.owner_slug = wanted.owner_slug = parsed.owner
    about.dataset_slug = wanted.dataset_slug = parsed.dataset
    with build_kaggle_client() as client:
        service = client.datasets.dataset_api_client
        version = int(handle_call(lambda: service.get_dataset(about), parsed).current_version_number)
        if version < 1:
            raise ValueError("it names no version")
        wanted.dataset_version_number = version
        archive = folder / f"version-{version}.zip"
        with closing(handle_call(lambda: service.download_dataset(wanted), parsed)) as response:
            download_file(response, str(archive), parsed)
    return Download(archive, version)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep kagglehub's messages off stdout, and its progress bar off a stderr that is no terminal."""
    logger = logging.getLogger("kagglehub")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with nullcontext() if sys.stderr.isatty() else redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
