"""Which cluster, and how many workers of which size."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Workers:
    """Where workers run and what each gets.

    `address` is the HOST:PORT of a Ray cluster that runs; None is the one that the environment names, or else
    one on this machine alone. `count` workers are wanted; None is as many as the cluster has room for.
    `gpus` of one worker may be a share of one, which several then use together; with 0 it uses none.
    `threads` are those of one worker; None is one for each of its `cpus`.
    `patience` in seconds is how long the cluster may have no room for any worker at all, as while it grows.
    """

    address: str | None = None
    count: int | None = None
    cpus: int = 1
    gpus: float = 0
    threads: int | None = None
    patience: float = 300

    @property
    def size(self) -> str:
        """What one worker needs, in words."""
        return f"{self.cpus} CPUs" + (f" and {self.gpus:g} GPUs" if self.gpus else "")

    @property
    def threads_each(self) -> int:
        """The threads of one worker."""
        return self.threads or self.cpus
