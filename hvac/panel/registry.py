"""Who is in the record: units with their class and points, events of known equipment, and what was
set aside.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.panel.events import Events, events_by_unit, no_events
from hvac.panel.follow_up import FollowUp, follow_ups
from hvac.panel.grid import Unit
from hvac.panel.joins import (
    join_units,
    one_spelling,
    require_matches,
    told_of_join,
    told_of_spellings,
    told_of_twins,
    told_of_zones,
    with_column,
)
from hvac.panel.spans import spans_of, with_spans
from hvac.readings.gate import SourceConfig, check_events, read_equipment, read_events
from hvac.readings.registers import distinct_events, with_open_ends
from hvac.readings.rejects import Rejects
from hvac.storage import AnyPath, read_parquet, write_parquet

ALL = "all"
MUCH = 0.1  # of the rows of a table rejected: worth a sentence of its own
EPOCH = dt.date(1970, 1, 1)
DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Units, events and the points of every class.

    `units`: facility_id, equipment_id, class, install_date, end_of_follow_up, first_date,
    last_date, points (list), readings, limited. `told`: sentences on what did not fit together.
    `class` is the group a bundle is trained for ("all" where classes are pooled), `kind` the
    equipment's own class."""

    units: pa.Table
    events: pa.Table
    points: dict[str, tuple[str, ...]]
    dropped_points: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rejects: Any = None
    told: tuple[str, ...] = ()

    def save(self, folder: AnyPath) -> None:
        """Write units, events and points."""
        write_parquet(self.units, folder / "units.parquet")
        write_parquet(self.events, folder / "events.parquet")
        rows = [
            {
                "class": name,
                "points": list(points),
                "dropped": list(self.dropped_points.get(name, ())),
            }
            for name, points in self.points.items()
        ]
        lists = [(name, pa.list_(pa.string())) for name in ("points", "dropped")]
        schema = pa.schema([("class", pa.string()), *lists])
        write_parquet(pa.Table.from_pylist(rows, schema=schema), folder / "points.parquet")

    @classmethod
    def load(cls, folder: AnyPath) -> Registry:
        """Read what `save` wrote."""
        rows = read_parquet(folder / "points.parquet").to_pylist()
        units = read_parquet(folder / "units.parquet")
        if "end_of_follow_up" not in units.column_names:  # of an earlier version
            units = units.append_column("end_of_follow_up", pa.nulls(len(units), pa.date32()))
        return cls(
            units=units,
            events=read_parquet(folder / "events.parquet"),
            points={row["class"]: tuple(row["points"]) for row in rows},
            dropped_points={row["class"]: tuple(row["dropped"]) for row in rows if row["dropped"]},
        )

    def within(self, facilities: pa.Array) -> Registry:
        """The part of some facilities."""
        units, events = (
            table.filter(pc.is_in(table["facility_id"], facilities))
            for table in (self.units, self.events)
        )
        return replace(self, units=units, events=events)

    @cached_property
    def classes(self) -> dict[Unit, str]:
        """Group of every unit."""
        return self._column("class")

    @cached_property
    def kinds(self) -> dict[Unit, str]:
        """Equipment class of every unit, as the register says."""
        return self._column("kind")

    @cached_property
    def install_days(self) -> dict[Unit, int | None]:
        """Installation day of every unit (days since 1970-01-01), None where unknown."""
        return self._days("install_date")

    @cached_property
    def unit_events(self) -> dict[Unit, Events]:
        """Events of every unit that has any."""
        return events_by_unit(self.events)

    def events_of(self, unit: Unit) -> Events:
        """Events of a unit."""
        return self.unit_events.get(unit) or no_events()

    @property
    def event_kinds(self) -> tuple[str, ...]:
        """All kinds of events in the log, sorted."""
        return tuple(sorted(set(self.events["kind"].to_pylist())))

    @property
    def days(self) -> tuple[int, int]:
        """First and last day of the record."""
        first, last = (self.units[name].to_pylist() for name in ("first_date", "last_date"))
        return (min(first) - EPOCH).days, (max(last) - EPOCH).days

    def follow_up(self, kinds: tuple[str, ...]) -> dict[Unit, FollowUp]:
        """Return how long each unit is followed for events of some kinds."""
        first, last = (self._days(name) for name in ("first_date", "last_date"))
        days = {unit: (first[unit] or 0, last[unit] or 0) for unit in first}
        targets = {unit: events.of_kinds(kinds) for unit, events in self.unit_events.items()}
        return follow_ups(days, targets, self._days("end_of_follow_up"))

    @cached_property
    def unit_spans(self) -> dict[Unit, list[tuple[int, int]]]:
        """First and last days of the stretches of every unit's record between which lies a year or
        more.
        """
        if "spans" in self.units.column_names:
            return {unit: spans_of(dates) for unit, dates in self._column("spans").items()}
        first, last = (self._column(name) for name in ("first_date", "last_date"))
        return {unit: spans_of([first[unit], last[unit]]) for unit in first}

    def yearly_rates(self, units: Sequence[Unit], until: int) -> dict[str, float]:
        """Count the events of each kind per unit and observed year, of some units and until a day."""
        observed_days, counts = 0, Counter[str]()
        for unit in units:
            spans, found = self.unit_spans[unit], self.events_of(unit)
            observed_days += sum(max(min(last, until) - first + 1, 0) for first, last in spans)
            counts.update(
                found.kind_N[(found.start_N >= spans[0][0]) & (found.start_N <= until)].tolist()
            )
        return {
            kind: counts[kind] / max(observed_days, 1) * DAYS_PER_YEAR for kind in self.event_kinds
        }

    @property
    def has_limits(self) -> bool:
        """Whether any reading came with limits."""
        return any(self.units["limited"].to_pylist())

    def _column(self, name: str) -> dict[Unit, Any]:
        keys = (self.units[key].to_pylist() for key in ("facility_id", "equipment_id"))
        return dict(zip(map(Unit, *keys), self.units[name].to_pylist(), strict=True))

    def _days(self, name: str) -> dict[Unit, int | None]:
        """Days since 1970-01-01 of a column of dates, None where there is none."""
        return {
            unit: None if date is None else (date - EPOCH).days
            for unit, date in self._column(name).items()
        }

    def summary(self) -> dict[str, Any]:
        """Counts for the closing summary and the report."""
        first, last = self.days
        return {
            "facilities": len(set(self.units["facility_id"].to_pylist())),
            "equipment": self.units.num_rows,
            "points": sum(len(points) for points in self.units["points"].to_pylist()),
            "first_date": (EPOCH + dt.timedelta(days=first)).isoformat(),
            "last_date": (EPOCH + dt.timedelta(days=last)).isoformat(),
            "events": dict(Counter(self.events["kind"].to_pylist())),
            "classes": dict(Counter(self.units["class"].to_pylist())),
            "dropped_points": {
                name: list(points) for name, points in self.dropped_points.items() if points
            },
        }


def build_registry(
    series: pa.Table,
    told_classes: pa.Table,
    source: SourceConfig,
    *,
    by_class: bool,
    min_point_share: float,
    months: pa.Table | None = None,
) -> Registry:
    """Join the series that were read with the equipment register and the event log.

    A point is one of its class's points where at least `min_point_share` of the class's units have
    it; the others are named in `dropped_points`. Events of equipment without readings are rejected
    as `unknown_equipment`; an installation after the first reading is listed as
    `installed_after_readings`. What did not fit is told in `told`, in sentences.

    Args:
        series: a row per point of a unit: ids, date_min, date_max, date_count, limited_sum.
        months: readings of every unit by month (`facility_id`, `equipment_id`, `month`,
            `readings`): between which months there are none for a year or more.

    Raises:
        InputError: less than `source.min_matching` of the events are of equipment that has
            readings.
    """
    known = sorted(
        {
            Unit(*pair)
            for pair in zip(*(series[name].to_pylist() for name in Unit._fields), strict=True)
        }
    )
    units, register, told = _joined_register(series, known, told_classes, source, by_class)
    told = [*told_of_twins(known), *told_of_zones(source.facility_time_zones, known), *told]
    if months is not None:
        units, gaps = with_spans(units, months)
        told += gaps
    events, log_rejects, log_told = _joined_events(known, source)
    points, dropped = _class_points(units, min_point_share)
    late = _installed_late(units, file=_named(source.equipment, "equipment"))
    rejects = pa.concat_tables([register, log_rejects, late])
    return Registry(
        units=units,
        events=events,
        points=points,
        dropped_points=dropped,
        rejects=rejects,
        told=(*told, *log_told),
    )


def _joined_register(
    series: pa.Table,
    known: Sequence[Unit],
    told_classes: pa.Table,
    source: SourceConfig,
    by_class: bool,
) -> tuple[pa.Table, pa.Table, list[str]]:
    """Return the units with what the register knows of them, its rejects, and what is to be told."""
    register, file = read_equipment(source), _named(source.equipment, "equipment")
    joined = join_units(register.table, known, once=True)
    own = {Unit(*row[:2]): row[2] for row in _rows(told_classes, "class")}
    own |= {Unit(*row[:2]): row[2] for row in _rows(joined.table, "class") if row[2]}
    spelled = one_spelling(own[unit] for unit in known if unit in own)
    own = {unit: spelled.get(name, name) for unit, name in own.items()}
    told = told_of_join(joined, known, file=file, rows="rows") + _told_of_rejects(
        register.counts, file
    )
    told += told_of_spellings(spelled, file=file, what="classes")
    without = sum(unit not in own for unit in known)
    if own and without:
        told.append(
            f"{file}: {without} of {len(known)} pieces of equipment have no class: they form the"
            f" class '{ALL}'"
        )
    return _units(series, own, joined.table, by_class), register.rejects, told


def _joined_events(
    known: Sequence[Unit], source: SourceConfig
) -> tuple[pa.Table, pa.Table, list[str]]:
    """Return the events of known equipment, what was rejected, and what is to be told."""
    log, file = read_events(source), _named(source.events, "events")
    joined = join_units(log.table, known)
    require_matches(joined, known, file=file, share=source.min_matching)
    spelled = one_spelling(joined.table["kind"].to_pylist())
    table = with_column(
        joined.table, "kind", [spelled[kind] for kind in joined.table["kind"].to_pylist()]
    )
    table, again = distinct_events(table)
    table, still_open = with_open_ends(table)
    events, strangers = check_events(table, set(known), file=file)
    told = told_of_join(joined, known, file=file, rows="events") + told_of_spellings(
        spelled, file=file, what="kinds"
    )
    told += _told_of_rejects(log.counts, file)
    if again:
        told.append(
            f"{file}: {again} rows tell of an event that another row tells too: it counts once"
        )
    if still_open:
        told.append(f"{file}: {still_open} events have no end yet and are taken as still open")
    return events, pa.concat_tables([log.rejects, strangers]), told


def _told_of_rejects(counts: Mapping[str, int], file: str) -> list[str]:
    """Return a sentence where a tenth of a table or more could not be read."""
    if counts["rejected"] < MUCH * max(counts["rows"], 1):
        return []
    return [
        f"{file}: {counts['rejected']} of {counts['rows']} rows could not be read: see rejects.csv"
    ]


def _named(files: str | Sequence[str] | None, else_: str) -> str:
    """Name the files of a table in a sentence."""
    return files if isinstance(files, str) else ", ".join(files) if files else else_


def _installed_late(units: pa.Table, *, file: str) -> pa.Table:
    """Units read before they were installed: the register tells of the machine that replaced the
    one that was read.
    """
    late_U = pc.fill_null(pc.greater(units["install_date"], units["first_date"]), False).to_numpy()
    rejects = Rejects(file, np.arange(1, len(units) + 1))
    parts = (
        units["facility_id"],
        "/",
        units["equipment_id"],
        ": ",
        units["install_date"].cast(pa.string()),
    )
    found = pc.binary_join_element_wise(*parts, "", null_handling="replace")
    rejects.note(late_U, "install_date", reason="installed_after_readings", found=found)
    return rejects.table()


def _rows(table: pa.Table, column: str) -> list[tuple[Any, ...]]:
    columns = (table[name].to_pylist() for name in ("facility_id", "equipment_id", column))
    return list(zip(*columns, strict=True))


def _units(series: pa.Table, own: dict[Unit, str], register: pa.Table, by_class: bool) -> pa.Table:
    """Return one row per equipment, sorted by its ids."""
    installed, followed = (
        {Unit(*row[:2]): row[2] for row in _rows(register, name)}
        for name in ("install_date", "end_of_follow_up")
    )
    found: dict[Unit, list[dict[str, Any]]] = defaultdict(list)
    for row in series.to_pylist():
        found[Unit(row["facility_id"], row["equipment_id"])].append(row)
    rows = [
        {
            "facility_id": unit.facility_id,
            "equipment_id": unit.equipment_id,
            "class": own.get(unit, ALL) if by_class else ALL,
            "kind": own.get(unit, ALL),
            "install_date": installed.get(unit),
            "end_of_follow_up": followed.get(unit),
            "first_date": min(row["date_min"] for row in parts),
            "last_date": max(row["date_max"] for row in parts),
            "points": sorted({row["point_id"] for row in parts}),
            "readings": sum(row["date_count"] for row in parts),
            "limited": sum(row["limited_sum"] or 0 for row in parts),
        }
        for unit, parts in sorted(found.items())
    ]
    dates = [
        (name, pa.date32())
        for name in ("install_date", "end_of_follow_up", "first_date", "last_date")
    ]
    texts = [(name, pa.string()) for name in ("facility_id", "equipment_id", "class", "kind")]
    numbers = [("points", pa.list_(pa.string())), ("readings", pa.int64()), ("limited", pa.int64())]
    return pa.Table.from_pylist(rows, schema=pa.schema([*texts, *dates, *numbers]))


def _class_points(
    units: pa.Table, share: float
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Points of every class, and those that too few of its units have."""
    members: Counter[str] = Counter(units["class"].to_pylist())
    having: dict[str, Counter[str]] = defaultdict(Counter)
    for name, points in zip(units["class"].to_pylist(), units["points"].to_pylist(), strict=True):
        having[name].update(points)
    kept = {
        c: tuple(sorted(p for p, n in found.items() if n >= share * members[c]))
        for c, found in having.items()
    }
    dropped = {c: tuple(sorted(set(found) - set(kept[c]))) for c, found in having.items()}
    return dict(sorted(kept.items())), dict(sorted(dropped.items()))
