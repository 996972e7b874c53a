"""The stamps of source files, so that a file that has not been touched is not hashed again every day."""

from __future__ import annotations

import time
from collections.abc import Iterable

from hvac.readings.table_paths import file_stamp
from hvac.storage import AnyPath, open_filesystem, read_mark, write_json

STAMPED = 3  # size, time of change, stamp
SETTLED_S = 2.0  # a file changed a moment ago may change again within the clock's tick


def file_stamps(files: Iterable[str], folder: AnyPath) -> dict[str, str]:
    """Return what identifies the content of every file.

    A local file whose size and time of change are as they were keeps its stamp.

    Args:
        files: paths or URLs.
        folder: where stamps are remembered.
    """
    memory = folder / "stamps.json"
    before, now = read_mark(memory), {}
    stamps = {}
    for path in files:
        system, inner = open_filesystem(path)
        info = system.get_file_info(inner)
        seen = [info.size, info.mtime_ns]
        known = before.get(path)
        if isinstance(known, list) and len(known) == STAMPED and known[:2] == seen:
            stamps[path] = str(known[2])
        else:
            stamps[path] = file_stamp(path)
        if time.time_ns() - (info.mtime_ns or 0) > SETTLED_S * 1e9:
            now[path] = [*seen, stamps[path]]
    if now != before:
        write_json(memory, now)
    return stamps
