"""The levels of peers that the batch jobs published, kept for a few seconds before they are looked
up again.
"""

from __future__ import annotations

import logging
import time

import pyarrow as pa

from hvac.features.peer_files import published_level
from hvac.features.peers import PeerLevel
from hvac.storage import AnyPath

log = logging.getLogger(__name__)
LOOK_AGAIN_S = 3.0
MOST = 4096  # facilities and kinds that are remembered; callers may name any


class PeerLevels:
    """Give the level that a unit is compared with, by its kind of equipment and facility; None
    where there is none.

    A level is read again when the jobs have published another. Days they have not published yet are
    unknown (nan)."""

    def __init__(self, folder: AnyPath, look_again_s: float = LOOK_AGAIN_S) -> None:
        self.folder = folder
        self._every = look_again_s
        self._known: dict[tuple[str, str], tuple[float, PeerLevel | None]] = {}

    def __call__(self, kind: str, facility: str) -> PeerLevel | None:
        """Return the level of a facility's units of one kind, else that of the fleet's."""
        now = time.monotonic()
        key = (kind, facility)
        if key in self._known and now - self._known[key][0] < self._every:
            return self._known[key][1]
        if len(self._known) >= MOST:
            self._known.clear()
        level = self._read(kind, facility)
        self._known[key] = now, level
        return level

    def _read(self, kind: str, facility: str) -> PeerLevel | None:
        """Read a level; where it cannot be read, log a warning and return None: the unit is scored
        without.
        """
        try:
            return published_level(self.folder, kind, facility)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            log.warning("peers of %s at %s cannot be read: %s", kind, facility, error)
            return None
