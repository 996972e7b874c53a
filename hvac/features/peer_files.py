"""Where the levels of peers lie: the jobs write them, the jobs and the service read them.

<folder>/<kind>/<facility>.parquet    level of a facility's own units
                _fleet.parquet        level of units of all facilities
                <name>.json           what the level beside it depends on; written last
"""

from __future__ import annotations

from functools import lru_cache

from hvac.features.peers import PeerLevel, level_from_arrow
from hvac.storage import AnyPath, folder_name, place, read_mark, read_parquet

FLEET = ""  # in place of a facility: units of all of them


def level_path(folder: AnyPath, kind: str, facility: str) -> AnyPath:
    """Return the file of a group's level; `FLEET` in place of a facility for units of all
    facilities.

    >>> from pathlib import Path
    >>> level_path(Path("peers"), "pump", "F001").as_posix()
    'peers/pump/F001.parquet'
    >>> level_path(Path("peers"), "pump", FLEET).as_posix()
    'peers/pump/_fleet.parquet'
    """
    name = folder_name(facility) if facility else "_fleet"
    return folder / folder_name(kind) / f"{name}.parquet"


def mark_of(path: AnyPath) -> AnyPath:
    """Return where the key of a level is kept."""
    return path.parent / f"{path.stem}.json"


def key_of(path: AnyPath) -> str:
    """Read what a level depends on; empty where no level was ever made."""
    return str(read_mark(mark_of(path)).get("key", ""))


@lru_cache(maxsize=256)
def read_level(path: str, key: str) -> PeerLevel | None:
    """Read a level, once per key; None where its group has too few units."""
    file = place(path)
    return level_from_arrow(read_parquet(file)) if file.exists() else None


def published_level(folder: AnyPath, kind: str, facility: str) -> PeerLevel | None:
    """Read the level that a unit is compared with: its facility's, else the fleet's, or None."""
    for group in (facility, FLEET):
        path = level_path(folder, kind, group)
        if key := key_of(path):
            return read_level(str(path), key)
    return None
