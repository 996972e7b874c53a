"""Joining events and the equipment register to the readings: by ids as the readings write them.

An id, a kind of event or a class that is written in several ways (case, width, spaces, composed
letters) is one. What still matches nothing is told with the nearest ids, and where too much of an
event log matches nothing, nothing goes on: its windows would all be labelled 0."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa

from hvac.errors import InputError
from hvac.panel.grid import Unit

NAMED = 3  # offenders that a sentence names
COMPARED = 20_000  # ids among which the nearest are looked for
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−", "-"))


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """Return what a text and its other spellings have in common.

    >>> folded("ＡＨＵ－ 01"), folded("Failure ")
    ('ahu-01', 'failure')
    """
    plain = unicodedata.normalize("NFKC", text).translate(_DASHES).replace("\u200b", "")
    return re.sub(r" ?([-_/.:]) ?", r"\1", " ".join(plain.casefold().split()))


def told_of_twins(units: Collection[Unit]) -> list[str]:
    """Return a sentence on equipment of the readings whose ids differ only in case, width or
    spaces.
    """
    twins = [sorted(found) for found in _by_folded(units).values() if len(found) > 1]
    if not twins:
        return []
    named = ", ".join(" and ".join(map(_name, found)) for found in sorted(twins)[:NAMED])
    return [
        f"readings: {len(twins)} ids are written in several ways, each taken for equipment of its"
        f" own ({named}): write them in one way"
    ]


def told_of_zones(zones: Mapping[str, str], units: Collection[Unit]) -> list[str]:
    """Return a sentence on facilities of `source.facility_time_zones` that no reading is of, with
    the nearest.
    """
    there = sorted({unit.facility_id for unit in units})
    told = []
    for name in sorted(set(zones) - set(there)):
        near = [
            each for each in there if folded(each) == folded(name)
        ] or difflib.get_close_matches(name, there, n=1)
        hint = f" (nearest: {near[0]})" if near else ""
        told.append(
            f"source.facility_time_zones names {name}, and no reading is of that facility{hint}"
        )
    return told


class Joined(NamedTuple):
    """A table with the ids of the readings, which ids were written otherwise there, and which match
    nothing.

    `matched`: rows of equipment that has readings. `respelled`: rows whose id was written
    otherwise."""

    table: pa.Table
    matched: int
    respelled: dict[Unit, Unit]
    strangers: Counter[Unit]


def join_units(table: pa.Table, units: Collection[Unit], *, once: bool = False) -> Joined:
    """Give the rows of a table the ids of the readings.

    An id that no reading has becomes the one that is the same but for case, width and spaces, where
    there is just one.

    Args:
        table: with columns `facility_id` and `equipment_id`.
        units: the equipment that has readings.
        once: whether equipment stands in the table once, so that an id that is there already is not
            given again.

    >>> table = pa.table({"facility_id": ["F", "F"], "equipment_id": ["ａｈｕ-1", "7"]})
    >>> found = join_units(table, [Unit("F", "AHU-1"), Unit("F", "007")])
    >>> found.table["equipment_id"].to_pylist(), found.matched, list(found.strangers)
    (['AHU-1', '7'], 1, [Unit(facility_id='F', equipment_id='7')])
    """
    known, same = set(units), _by_folded(units)
    given = [
        Unit(*pair)
        for pair in zip(*(table[name].to_pylist() for name in Unit._fields), strict=True)
    ]
    taken = set(given) if once else set()
    respelled = {}
    for unit in sorted(set(given) - known):
        others = same.get(_folded(unit), ())
        if len(others) == 1 and others[0] not in taken:
            respelled[unit] = others[0]
            taken |= {others[0]} if once else set()
    now = [respelled.get(unit, unit) for unit in given]
    strangers = Counter(unit for unit in now if unit not in known)
    for place, name in enumerate(Unit._fields):
        column = table.column_names.index(name)
        table = table.set_column(column, name, pa.array([unit[place] for unit in now], pa.string()))
    return Joined(table, len(now) - strangers.total(), respelled, strangers)


def _folded(unit: Unit) -> Unit:
    return Unit(*map(folded, unit))


def _by_folded(units: Iterable[Unit]) -> dict[Unit, list[Unit]]:
    found: dict[Unit, list[Unit]] = defaultdict(list)
    for unit in units:
        found[_folded(unit)].append(unit)
    return found


def told_of_join(joined: Joined, units: Collection[Unit], *, file: str, rows: str) -> list[str]:
    """Return sentences on ids that were written otherwise, and on those that match nothing, with
    the nearest.

    Args:
        rows: what the rows of the table are called.
    """
    total = len(joined.table)
    told = []
    if joined.respelled:
        examples = [
            f"{_name(one)} is {_name(other)}"
            for one, other in sorted(joined.respelled.items())[:NAMED]
        ]
        told.append(
            f"{file}: the ids of {len(joined.respelled)} pieces of equipment are written otherwise"
            f" than in the readings and were joined all the same ({', '.join(examples)})"
        )
    if joined.strangers:
        strangers = _strangers(joined, units)
        told.append(
            f"{file}: {joined.matched} of {total} {rows} are of equipment that has readings;"
            f" {strangers}"
        )
    return told


def require_matches(joined: Joined, units: Collection[Unit], *, file: str, share: float) -> None:
    """Raise InputError where less than a share of the events is of equipment that has readings."""
    total = len(joined.table)
    if not total or joined.matched >= share * total:
        return
    raise InputError(
        f"{file}: {total} events were read, {joined.matched} of them of equipment that has readings"
        f" ({joined.matched / total:.0%}, expected at least {share:.0%});"
        f" {_strangers(joined, units)}: correct the ids, or set source.min_matching lower"
    )


def _strangers(joined: Joined, units: Collection[Unit]) -> str:
    """Name the most frequent ids that match nothing, and what the readings have that is nearest."""
    names = sorted(map(_name, units))[:COMPARED]
    pairs = []
    for unit, _ in joined.strangers.most_common(NAMED):
        near = difflib.get_close_matches(_name(unit), names, n=1, cutoff=0.5)
        pairs.append(f"{_name(unit)} (nearest: {near[0]})" if near else _name(unit))
    more = len(joined.strangers) - len(pairs)
    return f"without readings: {', '.join(pairs)}" + (f" and {more} more" if more else "")


def _name(unit: Unit) -> str:
    return f"{unit.facility_id}/{unit.equipment_id}"


def one_spelling(texts: Iterable[str | None]) -> dict[str, str]:
    """Map every spelling of a name to the most frequent one.

    >>> one_spelling(["AHU", "AHU", "ahu", "Pump"])
    {'AHU': 'AHU', 'ahu': 'AHU', 'Pump': 'Pump'}
    """
    counts = Counter(text for text in texts if text)
    best: dict[str, str] = {}
    for text, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        best.setdefault(folded(text), text)
    return {text: best[folded(text)] for text in counts}


def told_of_spellings(spelled: Mapping[str, str], *, file: str, what: str) -> list[str]:
    """Return a sentence on names that were written in several ways."""
    other = sorted(f"{text} is {best}" for text, best in spelled.items() if text != best)
    if not other:
        return []
    more = f" and {len(other) - NAMED} more" if len(other) > NAMED else ""
    return [
        f"{file}: {what} written in several ways were taken for one"
        f" ({', '.join(other[:NAMED])}{more})"
    ]


def with_column(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    """Return the table with other values in one of its columns."""
    place = table.column_names.index(name)
    return table.set_column(place, name, pa.array(values, table.schema.field(name).type))
