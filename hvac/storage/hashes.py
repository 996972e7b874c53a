"""Hashes: of what a file holds, and of names, to deal units out by."""

from __future__ import annotations

import hashlib

from hvac.storage.paths import AnyPath


def file_sha256(path: AnyPath) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def name_hash(*names: object) -> bytes:
    """Return the SHA-256 of names in order: the same everywhere, and as good as drawn at random.

    A seed among the names gives another order.

    >>> name_hash(1, "AHU-1") == name_hash("1", "AHU-1"), name_hash(1, "a") == name_hash(2, "a")
    (True, False)
    """
    return hashlib.sha256("\x1f".join(map(str, names)).encode()).digest()
