"""Joining events and the equipment register to the readings: by ids as the readings write them.

An id, a kind of event or a class that is written in several ways (case, width, spaces, composed
letters) is one. What still matches nothing is listed with the nearest ids. Where too much of an
event log matches nothing, nothing goes on: its windows would all be labelled 0.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.errors import InputError, nearest
from hvac.panel.grid import Unit

ARROW = (pa.Array, pa.ChunkedArray)
NAMED = 3  # offenders that a sentence names
COMPARED = 20_000  # ids among which the nearest are looked for
# a text of ASCII without any of these folds to its small letters
BLANKS = r"[\x00-\x20]"
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−", "-"))


def units_of(table: pa.Table) -> list[Unit]:
    """Return the unit of each row of a table with `facility_id` and `equipment_id`."""
    facility = table["facility_id"].to_pylist()
    equipment = table["equipment_id"].to_pylist()
    return list(map(Unit, facility, equipment))


def unit_ids(table: pa.Table) -> pa.Array:
    """Return one text per row that names its unit: to compare tables without Python objects."""
    ids = pc.binary_join_element_wise(*(table[name] for name in Unit._fields), "\x1f")
    return ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids


def unit_column(table: pa.Table, name: str) -> dict[Unit, Any]:
    """Return a column of a table by unit; the last row of a unit holds."""
    return dict(zip(units_of(table), table[name].to_pylist(), strict=True))


def looked_up(ids: pa.Array, table: pa.Table, name: str) -> pa.Array:
    """Return a column of a table for units by their ids (`unit_ids`), null where it has none.

    Of several rows of a unit the last holds.

    >>> table = pa.table({"facility_id": ["F"] * 2, "equipment_id": ["a"] * 2, "n": [1, 2]})
    >>> looked_up(pa.array(["F\x1fb", "F\x1fa"]), table, "n").to_pylist()
    [None, 2]
    """
    backwards = table.take(pa.array(np.arange(len(table))[::-1]))
    rows = pc.index_in(ids, value_set=unit_ids(backwards))
    return backwards[name].combine_chunks().take(rows)


def folded_ids(table: pa.Table) -> pa.Array:
    """Return one text per row that all spellings of its unit have in common."""
    ids = [_folded_texts(table[name]) for name in Unit._fields]
    return pc.binary_join_element_wise(*ids, "\x1f")


def _folded_texts(column: pa.ChunkedArray) -> pa.Array:
    """Fold every text of a column (`folded`)."""
    texts = column.combine_chunks()
    odd = pc.or_(
        pc.invert(pc.string_is_ascii(texts)), pc.match_substring_regex(texts, BLANKS)
    )
    again = [folded(text) for text in texts.filter(odd).to_pylist()]
    return pc.replace_with_mask(pc.utf8_lower(texts), odd, pa.array(again, texts.type))


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """Return what a text and its other spellings have in common.

    >>> folded("ＡＨＵ－ 01"), folded("Failure ")
    ('ahu-01', 'failure')
    """
    plain = unicodedata.normalize("NFKC", text).translate(_DASHES).replace("\u200b", "")
    spaced = " ".join(plain.casefold().split())
    return re.sub(r" ?([-_/.:]) ?", r"\1", spaced)


def notes_on_twins(units: pa.Table) -> list[str]:
    """Return a sentence on equipment of the readings whose ids are but spellings of one."""
    ids = folded_ids(units)
    counts = pc.value_counts(ids)
    several = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    if not len(several):
        return []
    spellings = _by_folded(units.filter(pc.is_in(ids, value_set=several)))
    first = sorted(map(sorted, spellings.values()))[:NAMED]
    named = ", ".join(" and ".join(map(_name, twins)) for twins in first)
    return [
        f"readings: {len(several)} ids are written in several ways, each taken for equipment of its"
        f" own ({named}): write them in one way"
    ]


def notes_on_zones(zones: Mapping[str, str], units: pa.Table) -> list[str]:
    """Return sentences on facilities of `source.facility_time_zones` without a reading."""
    facilities = sorted(pc.unique(units["facility_id"]).to_pylist())
    notes = []
    for name in sorted(set(zones) - set(facilities)):
        alike = [
            facility for facility in facilities if folded(facility) == folded(name)
        ]
        near = alike[0] if alike else nearest(name, facilities)
        hint = f" (nearest: {near})" if near else ""
        notes.append(
            f"source.facility_time_zones names {name}, and no reading is of that facility{hint}"
        )
    return notes


class Joined(NamedTuple):
    """A table with the ids of the readings.

    `matched` counts the rows of equipment that has readings. `respelled` maps ids as the table
    wrote them to those of the readings. `strangers` counts the rows of ids without readings.
    """

    table: pa.Table
    matched: int
    respelled: dict[Unit, Unit]
    strangers: Counter[Unit]


def join_units(table: pa.Table, units: pa.Table, *, once: bool = False) -> Joined:
    """Give the rows of a table the ids of the readings.

    An id that no reading has becomes the one that is the same but for case, width and spaces, where
    there is just one.

    Args:
        table: with columns `facility_id` and `equipment_id`.
        units: the equipment that has readings, with the same columns.
        once: whether equipment stands in the table once, so that an id that is there already is not
            given again.

    >>> table = pa.table({"facility_id": ["F", "F"], "equipment_id": ["ａｈｕ-1", "7"]})
    >>> units = pa.table({"facility_id": ["F", "F"], "equipment_id": ["AHU-1", "007"]})
    >>> joined = join_units(table, units)
    >>> joined.table["equipment_id"].to_pylist(), joined.matched, list(joined.strangers)
    (['AHU-1', '7'], 1, [Unit(facility_id='F', equipment_id='7')])
    """
    ids = unit_ids(table)
    missing = pc.invert(pc.is_in(ids, value_set=unit_ids(units)))
    unmatched = units_of(table.filter(missing))
    if not unmatched:
        return Joined(table, len(table), {}, Counter())
    spellings = _spellings(units, unmatched)
    taken = set(_among(spellings, ids)) if once else set()
    respelled = {}
    for unit in sorted(set(unmatched)):
        candidates = spellings.get(_folded(unit), ())
        if len(candidates) == 1 and candidates[0] not in taken:
            respelled[unit] = candidates[0]
            if once:
                taken.add(candidates[0])
    joined = [respelled.get(unit, unit) for unit in unmatched]
    strangers = Counter(unit for unit in joined if unit not in respelled.values())
    for name in Unit._fields:
        texts = table[name].cast(pa.string()).combine_chunks()
        values = pa.array([getattr(unit, name) for unit in joined], pa.string())
        changed = pc.replace_with_mask(texts, missing, values)
        table = table.set_column(table.column_names.index(name), name, changed)
    return Joined(table, len(table) - strangers.total(), respelled, strangers)


def _spellings(units: pa.Table, wanted: Iterable[Unit]) -> dict[Unit, list[Unit]]:
    """Return the equipment that is spelled otherwise than wanted, by what spellings share."""
    folds = pa.array({"\x1f".join(_folded(unit)) for unit in wanted}, pa.string())
    return _by_folded(units.filter(pc.is_in(folded_ids(units), value_set=folds)))


def _among(spellings: Mapping[Unit, list[Unit]], ids: pa.Array) -> list[Unit]:
    """Return the units whose ids are among some."""
    units = [unit for spelt in spellings.values() for unit in spelt]
    there = pc.is_in(pa.array(map("\x1f".join, units), pa.string()), value_set=ids)
    return [
        unit
        for unit, is_there in zip(units, there.to_pylist(), strict=True)
        if is_there
    ]


def _folded(unit: Unit) -> Unit:
    return Unit(*map(folded, unit))


def _by_folded(units: pa.Table) -> dict[Unit, list[Unit]]:
    spellings: dict[Unit, list[Unit]] = defaultdict(list)
    for unit in units_of(units):
        spellings[_folded(unit)].append(unit)
    return spellings


def notes_on_join(
    joined: Joined, units: pa.Table, *, file: str, rows: str
) -> list[str]:
    """Return sentences on ids that were written otherwise, and on those that match nothing.

    Args:
        rows: what the rows of the table are called.
    """
    notes = []
    if joined.respelled:
        pairs = sorted(joined.respelled.items())[:NAMED]
        examples = ", ".join(
            f"{_name(given)} is {_name(unit)}" for given, unit in pairs
        )
        notes.append(
            f"{file}: the ids of {len(joined.respelled)} pieces of equipment are written otherwise"
            f" than in the readings and were joined all the same ({examples})"
        )
    if joined.strangers:
        notes.append(
            f"{file}: {joined.matched} of {len(joined.table)} {rows} are of equipment that has"
            f" readings; {_strangers(joined, units)}"
        )
    return notes


def require_matches(
    joined: Joined, units: pa.Table, *, file: str, share: float
) -> None:
    """Raise InputError where less than a share of the events is of equipment that has readings."""
    total = len(joined.table)
    if not total or joined.matched >= share * total:
        return
    raise InputError(
        f"{file}: {total} events were read, {joined.matched} of them of equipment that has readings"
        f" ({joined.matched / total:.0%}, expected at least {share:.0%});"
        f" {_strangers(joined, units)}: correct the ids, or set source.min_matching lower"
    )


def _strangers(joined: Joined, units: pa.Table) -> str:
    """Name the most frequent ids that match nothing, and the nearest that the readings have."""
    ids = pc.binary_join_element_wise(*(units[name] for name in Unit._fields), "/")
    names = ids.take(pc.sort_indices(ids)[:COMPARED]).to_pylist()
    phrases = []
    for unit, _ in joined.strangers.most_common(NAMED):
        name = _name(unit)
        near = nearest(name, names, cutoff=0.5)
        phrases.append(f"{name} (nearest: {near})" if near else name)
    more = len(joined.strangers) - len(phrases)
    return f"without readings: {', '.join(phrases)}" + (
        f" and {more} more" if more else ""
    )


def _name(unit: Unit) -> str:
    return f"{unit.facility_id}/{unit.equipment_id}"


def one_spelling(texts: Iterable[str | None] | pa.ChunkedArray) -> dict[str, str]:
    """Map every spelling of a name to the most frequent one.

    >>> one_spelling(["AHU", "AHU", "ahu", "Pump"])
    {'AHU': 'AHU', 'ahu': 'AHU', 'Pump': 'Pump'}
    """
    counts = Counter(text_counts(texts) if isinstance(texts, ARROW) else texts)
    counts = Counter({text: count for text, count in counts.items() if text})
    best: dict[str, str] = {}
    for text in sorted(counts, key=lambda text: (-counts[text], text)):
        best.setdefault(folded(text), text)
    return {text: best[folded(text)] for text in counts}


def text_counts(texts: pa.Array | pa.ChunkedArray) -> dict[str, int]:
    """Count the rows of each text of a column, in order of appearance."""
    counts = pc.value_counts(texts)
    values, numbers = (counts.field(name).to_pylist() for name in ("values", "counts"))
    return dict(zip(values, numbers, strict=True))


def respelled(texts: pa.Array, spelling: Mapping[str, str]) -> pa.Array:
    """Return texts in the one spelling of each; null where there is none."""
    best = pa.array(list(spelling.values()), pa.string())
    names = pa.array(list(spelling), pa.string())
    return best.take(pc.index_in(texts, value_set=names))


def notes_on_spellings(
    spelling: Mapping[str, str], *, file: str, what: str
) -> list[str]:
    """Return a sentence on names that were written in several ways."""
    other = sorted(
        f"{text} is {best}" for text, best in spelling.items() if text != best
    )
    if not other:
        return []
    more = f" and {len(other) - NAMED} more" if len(other) > NAMED else ""
    return [
        f"{file}: {what} written in several ways were taken for one"
        f" ({', '.join(other[:NAMED])}{more})"
    ]
