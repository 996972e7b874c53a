"""Machines that several files hold, where the files themselves do not name them.

Where an id comes from a setting, the columns' names or the path, two files of two machines may read
as one. That is told, and refused where their readings contradict each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from hvac.errors import InputError
from hvac.panel.grid import Unit
from hvac.readings.sources import SourceConfig

NAMED = 3
# of the readings that another file replaces: two machines, no correction
CONTRADICTED = 0.1


def may_share(source: SourceConfig) -> bool:
    """Tell whether two files may read as one machine: where columns do not name both its ids."""
    wide = source.wide if source.format == "wide" else None
    named = wide is not None and wide.facility_column and wide.equipment_column
    return source.path_pattern is not None or not (wide is None or named)


def shared_machines(
    source: SourceConfig, units_by_file: Mapping[str, Collection[Unit]]
) -> dict[Unit, list[str]]:
    """Return the machines that stand in several files, with these.

    It is empty where every file names its machines in columns.
    """
    if not may_share(source):
        return {}
    files = defaultdict(list)
    for path, units in units_by_file.items():
        for unit in units:
            files[unit].append(path)
    return {unit: files[unit] for unit in sorted(files) if len(files[unit]) > 1}


def notes_on_shared(shared: Mapping[Unit, list[str]]) -> list[str]:
    """Return a sentence on machines that several files hold.

    >>> notes_on_shared({Unit("F", "AHU-1"): ["a.csv", "b.csv"]})[0][:63]
    '1 machines stand in several files and were joined (F/AHU-1 in a'
    """
    if not shared:
        return []
    return [
        f"{len(shared)} machines stand in several files and were joined ({_first(shared)}): if they"
        " are machines of their own, tell them apart by source.path_pattern"
    ]


def require_apart(
    shared: Mapping[Unit, list[str]], counts: Mapping[str, int], *, readings: int
) -> None:
    """Raise InputError where files that were read as one machine contradict each other.

    Args:
        shared: machines with their files.
        counts: as of `count_overlap`.
        readings: how many readings there are.
    """
    replaced = counts.get("replaced_by_later_files", 0)
    if not shared or replaced <= CONTRADICTED * readings:
        return
    raise InputError(
        f"{_first(shared)}: the files are read as one machine, and {replaced:,} of {readings:,}"
        " readings differ for the same moment: give each file its machine or facility by"
        " source.path_pattern, such as '(?P<equipment_id>[^/]+)\\.csv$'"
    )


def _first(shared: Mapping[Unit, list[str]]) -> str:
    unit, files = next(iter(shared.items()))
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    return f"{'/'.join(unit)} in {', '.join(files[:NAMED])}{more}"
