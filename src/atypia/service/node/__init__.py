"""The DICOM node: studies come in by C-STORE or STOW-RS, and results go back to the configured peers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atypia.service.home import Home
    from atypia.service.node.running import Node
    from atypia.service.settings import Settings
    from atypia.service.store.database import Store


def start(settings: Settings, store: Store, home: Home, wake: Callable[[], None]) -> Node:
    """Start listening, completing studies and sending results, in threads; `stop()` of the Node ends them.

    `wake` is called when there is a new job. Raises BadOption where the node cannot listen.
    """
    from atypia.service.node.running import Node

    return Node(settings, store, home, wake)
