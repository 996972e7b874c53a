"""Patterns whose named groups give ids: of a column's name, or of a file's path."""

from __future__ import annotations

import re
from collections.abc import Sequence

IDS = ("facility_id", "equipment_id", "point_id")


def check_pattern(pattern: str | None, *, example: str) -> str | None:
    """Return a pattern as it is.

    Raises ValueError where it is no regular expression, or its named groups are not ids.
    """
    if pattern is None:
        return None
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise ValueError(
            f"{pattern!r} is no pattern ({error}): write one such as {example}"
        ) from None
    if not groups or set(groups) - set(IDS):
        named = ", ".join(groups) or "none"
        raise ValueError(
            f"{pattern!r} has the named groups {named}: expected some of {', '.join(IDS)}, such as"
            f" {example}"
        )
    return pattern


def groups_of(pattern: str | None) -> tuple[str, ...]:
    """Return the ids that a pattern gives.

    >>> groups_of(r"(?P<equipment_id>.+)\\.(?P<point_id>.+)")
    ('equipment_id', 'point_id')
    """
    return tuple(re.compile(pattern).groupindex) if pattern else ()


def ids_of_columns(pattern: str, columns: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the ids of every column whose whole name matches, by column.

    >>> ids_of_columns(r"(?P<equipment_id>.+)\\.(?P<point_id>.+)", ["AHU-1.SAT", "note"])
    {'AHU-1.SAT': {'equipment_id': 'AHU-1', 'point_id': 'SAT'}}
    """
    compiled = re.compile(pattern)
    matches = {column: compiled.fullmatch(column) for column in columns}
    return {column: _ids(match) for column, match in matches.items() if match}


def ids_of_path(pattern: str | None, path: str) -> dict[str, str] | None:
    """Return the ids that the first match of a pattern in a path gives; None where there is none.

    Folders are parted by `/` on every system.

    >>> ids_of_path(r"(?P<facility_id>[^/]+)/(?P<equipment_id>[^/]+)\\.csv$", "lake/F1/AHU-1.csv")
    {'facility_id': 'F1', 'equipment_id': 'AHU-1'}
    """
    if pattern is None:
        return {}
    match = re.compile(pattern).search(path.replace("\\", "/"))
    return _ids(match) if match else None


def _ids(match: re.Match[str]) -> dict[str, str]:
    return {name: text.strip() for name, text in match.groupdict().items() if text}
