"""What can go wrong, as a tree, with the exit code that each kind gives on the command line.

    AtypiaError                    1
    ├── InputError                 2   what the user gave cannot be used
    │   ├── UnreadableScan         2   one file is not a scan that can be read
    │   ├── BadTable               2   a table of scans, or a folder, is not as it must be
    │   ├── BadArchive             2   an archive is broken, or holds what it should not
    │   ├── NotEnoughScans         2   too few usable healthy scans
    │   └── BadOption              2   an option's value makes no sense
    ├── ArtefactError              3   a saved Screener cannot be used
    │   ├── CorruptArtefact        3
    │   ├── NewerArtefact          3
    │   └── BadSignature           3   a file is not signed by the key that it must be signed by
    ├── WeightsError               4   pretrained weights are missing, wrong or do not reach far enough
    ├── DownloadFailed             4   a public data set could not be fetched
    ├── StoreFailed                4   an object store does not answer, or refuses our credentials
    ├── ClusterFailed              4   a cluster cannot be reached, has no room, or is gone
    ├── ProcessesDied              4   processes that judge scans died, again and again
    ├── MissingExtra               4   an optional part of the installation is needed
    ├── MissingTool                4   another program is needed that is not installed
    ├── MissingInstructions        4   the processor cannot compute as a Screener was optimised to
    ├── TrainingDiverged           5   the loss is no longer a number
    ├── ScoresDiffer               7   an optimised Screener scores otherwise than the original
    └── OutputError                6   a result could not be written

On the command line 0 means that all went well, 1 that the work was done but some scans could not be read or
judged, 4 also that memory ran out, 130 that the user interrupted it, and 143 that a signal ended it.
Every message says what was expected, what came, in which file, and what to do next.
"""

from __future__ import annotations

from pathlib import Path


class AtypiaError(Exception):
    """Anything that Atypia refuses or fails to do, told in words for the user."""

    exit_code = 1


class InputError(AtypiaError):
    """What the user gave cannot be used."""

    exit_code = 2


class UnreadableScan(InputError):
    """One file is not a scan that can be read; the others can still be."""

    def __init__(self, path: Path | str, expected: str, received: str, hint: str = "") -> None:
        self.path, self.expected, self.received, self.hint = str(path), expected, received, hint
        super().__init__(f"{path}: expected {expected}, received {received}." + (f" {hint}" if hint else ""))

    @property
    def brief(self) -> str:
        """The message with the file's name in place of its path, for what travels further than the file."""
        return str(self).replace(self.path, Path(self.path).name)


class BadTable(InputError):
    """A table or folder of scans is not as it must be."""


class BadArchive(InputError):
    """An archive is broken, or holds something that it should not."""


class NotEnoughScans(InputError):
    """Fewer usable healthy scans than the work needs."""


class BadOption(InputError):
    """An option's value makes no sense here."""


class ArtefactError(AtypiaError):
    """A saved Screener cannot be used."""

    exit_code = 3


class CorruptArtefact(ArtefactError):
    """A file is not a Screener, or not the one that was saved."""


class NewerArtefact(ArtefactError):
    """A Screener was saved by a newer version of Atypia than this one."""


class BadSignature(ArtefactError):
    """A file is not signed by the key that it must be signed by, or a key or signature cannot be used."""


class WeightsError(AtypiaError):
    """Pretrained weights are missing, wrong, or do not reach far enough."""

    exit_code = 4


class DownloadFailed(AtypiaError):
    """A public data set could not be fetched."""

    exit_code = 4


class StoreFailed(AtypiaError):
    """An object store does not answer, or refuses our credentials."""

    exit_code = 4


class ClusterFailed(AtypiaError):
    """A cluster cannot be reached, has no room, or is gone."""

    exit_code = 4


class ProcessesDied(AtypiaError):
    """Processes that judge scans on this machine died, again and again."""

    exit_code = 4


class MissingExtra(AtypiaError):
    """An optional part of the installation is needed."""

    exit_code = 4

    def __init__(self, what: str, extra: str, *, package: str | None = None) -> None:
        if package is not None:
            super().__init__(f"{what} needs the package {package}. Install it with: pip install {package}")
            return
        super().__init__(
            f"{what} needs the optional part '{extra}' of the installation. "
            f'Install it with: pip install "atypia[{extra}]"'
        )


class MissingTool(AtypiaError):
    """Another program is needed that is not installed."""

    exit_code = 4


class MissingInstructions(AtypiaError):
    """The processor cannot compute as a Screener was optimised to."""

    exit_code = 4


class TrainingDiverged(AtypiaError):
    """The loss is no longer a number."""

    exit_code = 5


class ScoresDiffer(AtypiaError):
    """An optimised Screener scores otherwise than the original."""

    exit_code = 7


class OutputError(AtypiaError):
    """A result could not be written."""

    exit_code = 6
