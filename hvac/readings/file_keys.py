"""What a table file contributes to what is made from it, wherever it lies."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from hvac.json_values import Json
from hvac.readings.id_patterns import ids_of_path
from hvac.readings.sources import SourceConfig
from hvac.readings.table_paths import file_stamp, hive_values, table_files
from hvac.storage import Place, as_given

FileKey = list[Json]


def file_keys(stamps: Mapping[str, str], source: SourceConfig) -> dict[str, FileKey]:
    """Return by path what the panel takes from each file of readings.

    This is its name from the folder on that `source.readings` names, its content (`stamps`), and
    the ids that its path gives. The folder itself has no part in it, so that files which were moved
    together are known again.
    """
    keys: dict[str, FileKey] = {}
    for path, stamp in stamps.items():
        ids = {**hive_values(path), **(ids_of_path(source.path_pattern, path) or {})}
        keys[path] = [name_within(path, source.readings), stamp, ids]
    return keys


def small_table_keys(given: str | Sequence[str] | None, setting: str) -> list[FileKey]:
    """Return name, content and ids by path of the files behind `source.events` or the like."""
    files = table_files(given, setting)
    return [
        [name_within(path, given), file_stamp(path), hive_values(path)]
        for path in files
    ]


def name_within(path: str, given: str | Sequence[str] | None) -> str:
    """Return a file's path from the folder on that a setting names, or from where several part.

    Names are as many as the files, and in the same order.

    >>> name_within("/data/in/2024/may.csv", "/data/in")
    '2024/may.csv'
    >>> name_within("/data/in/2024/may.csv", "/data/*/2024/*.csv")
    'in/2024/may.csv'
    >>> name_within("/data/may.csv", "/data/may.csv")
    'may.csv'
    >>> name_within("/data/old/may.csv", ["/data/old", "/data/new"])
    'old/may.csv'
    """
    whole = _parts(path)
    named = (given,) if isinstance(given, str) else given or ()
    folder = _shared([_fixed(_parts(name)) for name in named])
    below = whole[: len(folder)] == folder
    return "/".join(whole[min(len(folder), len(whole) - 1) :] if below else whole)


def _shared(paths: Sequence[list[str]]) -> list[str]:
    """Return the parts with which all paths begin."""
    shared: list[str] = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return shared


def _parts(path: str) -> list[str]:
    location = as_given(path)
    if isinstance(location, Place):
        return [location.origin, *location.key.split("/")]
    return os.path.normpath(location).replace("\\", "/").split("/")


def _fixed(parts: list[str]) -> list[str]:
    """Return the parts before the first one with a wildcard."""
    for place, part in enumerate(parts):
        if any(mark in part for mark in "*?["):
            return parts[:place]
    return parts
