"""Where the states of buckets lie: `state/<bucket>.arrow`, with a bucket's key in the `.json` beside it."""

from __future__ import annotations

from typing import Final

from hvac.storage import AnyPath, read_mark

FOLDER: Final = "state"


def state_file(folder: AnyPath, bucket: str) -> AnyPath:
    """Return the file of a bucket's states."""
    return folder / f"{bucket}.arrow"


def state_mark(folder: AnyPath, bucket: str) -> AnyPath:
    """Return the file with the key that a bucket's states were last made for."""
    return folder / f"{bucket}.json"


def state_key(folder: AnyPath, bucket: str) -> str:
    """Return the key that a bucket's states were last made for; empty where there are none."""
    return str(read_mark(state_mark(folder, bucket)).get("key", ""))
