"""Who is in the record: units with their class and points, and events of known equipment."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from hvac.days import DAYS_PER_YEAR, EPOCH
from hvac.panel.events import Events, events_by_unit, no_events
from hvac.panel.follow_up import FollowUp, follow_ups
from hvac.panel.grid import Unit
from hvac.panel.joins import text_counts, unit_column
from hvac.panel.spans import spans_of
from hvac.storage import AnyPath, parquet_dataset, read_parquet, write_parquet

READ_TOGETHER = 4096  # rows of a facility lie among so many others
BRIEF = ("facility_id", "equipment_id", "class", "kind", "first_date", "last_date")
ALL = "all"  # the class of units that are pooled, or whose class is unknown
POINT_LISTS = pa.schema(
    [
        ("class", pa.string()),
        ("points", pa.list_(pa.string())),
        ("dropped", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Units, events and the points of every class.

    `units`: facility_id, equipment_id, class, kind, install_date, end_of_follow_up, first_date,
    last_date, points (list), readings, limited. `class` is the group a bundle is trained for ("all"
    where classes are pooled), `kind` the equipment's own class. `notes` are sentences on what did
    not fit together; `rejects` lists what was left out.
    """

    units: pa.Table
    events: pa.Table
    points: dict[str, tuple[str, ...]]
    dropped_points: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rejects: Any = None
    notes: tuple[str, ...] = ()

    def save(self, folder: AnyPath) -> None:
        """Write units, events and points."""
        order = [(name, "ascending") for name in ("facility_id", "equipment_id")]
        for name, table in (("units", self.units), ("events", self.events)):
            path = folder / f"{name}.parquet"
            write_parquet(table.sort_by(order), path, row_group_size=READ_TOGETHER)
        rows = []
        for name, points in self.points.items():
            dropped = list(self.dropped_points.get(name, ()))
            rows.append({"class": name, "points": list(points), "dropped": dropped})
        write_parquet(
            pa.Table.from_pylist(rows, schema=POINT_LISTS), folder / "points.parquet"
        )

    @classmethod
    def load(
        cls, folder: AnyPath, facility: str | None = None, *, brief: bool = False
    ) -> Registry:
        """Read what `save` wrote: all of it, or the units and events of one facility.

        Of a large fleet a facility costs a few thousand rows. `brief` reads of units no more than
        who and when they are, and no event.
        """
        rows = read_parquet(folder / "points.parquet").to_pylist()
        only = None if facility is None else pads.field("facility_id") == facility
        events = parquet_dataset([folder / "events.parquet"])
        units = parquet_dataset([folder / "units.parquet"]).to_table(
            filter=only, columns=list(BRIEF) if brief else None
        )
        if "end_of_follow_up" not in units.column_names:  # of an earlier version
            unknown = pa.nulls(len(units), pa.date32())
            units = units.append_column("end_of_follow_up", unknown)
        return cls(
            units=units,
            events=events.head(0) if brief else events.to_table(filter=only),
            points={row["class"]: tuple(row["points"]) for row in rows},
            dropped_points={
                row["class"]: tuple(row["dropped"]) for row in rows if row["dropped"]
            },
        )

    @cached_property
    def classes(self) -> dict[Unit, str]:
        """Return the class that every unit is trained with."""
        return unit_column(self.units, "class")

    @cached_property
    def kinds(self) -> dict[Unit, str]:
        """Return the equipment class of every unit, as the register names it."""
        return unit_column(self.units, "kind")

    @cached_property
    def install_days(self) -> dict[Unit, int | None]:
        """Return the installation day of every unit (since 1970-01-01), None where unknown."""
        return self._days("install_date")

    @cached_property
    def unit_events(self) -> dict[Unit, Events]:
        """Return the events of every unit that has any."""
        return events_by_unit(self.events)

    def events_of(self, unit: Unit) -> Events:
        """Return the events of a unit."""
        return self.unit_events.get(unit) or no_events()

    @property
    def event_kinds(self) -> tuple[str, ...]:
        """Return all kinds of events in the log, sorted."""
        return tuple(sorted(text_counts(self.events["kind"])))

    @property
    def days(self) -> tuple[int, int]:
        """Return the first and last day of the record (since 1970-01-01)."""
        first = pc.min(self.units["first_date"]).as_py()
        last = pc.max(self.units["last_date"]).as_py()
        return (first - EPOCH).days, (last - EPOCH).days

    def follow_up(self, kinds: tuple[str, ...]) -> dict[Unit, FollowUp]:
        """Return how long each unit is followed for events of some kinds."""
        first = self._days("first_date")
        last = self._days("last_date")
        days = {unit: (first[unit] or 0, last[unit] or 0) for unit in first}
        targets = {
            unit: events.of_kinds(kinds) for unit, events in self.unit_events.items()
        }
        return follow_ups(days, targets, self._days("end_of_follow_up"))

    @cached_property
    def unit_spans(self) -> dict[Unit, list[tuple[int, int]]]:
        """Return the first and last days of the stretches of every unit's record.

        Between two stretches lies a year or more without a reading.
        """
        if "spans" in self.units.column_names:
            spans = unit_column(self.units, "spans")
            return {unit: spans_of(dates) for unit, dates in spans.items()}
        first = unit_column(self.units, "first_date")
        last = unit_column(self.units, "last_date")
        return {unit: spans_of([first[unit], last[unit]]) for unit in first}

    def yearly_rates(self, units: Sequence[Unit], until: int) -> dict[str, float]:
        """Return the events of each kind per unit and observed year, of some units until a day."""
        observed_days = 0
        counts = Counter[str]()
        for unit in units:
            spans = self.unit_spans[unit]
            events = self.events_of(unit)
            for first, last in spans:
                observed_days += max(min(last, until) - first + 1, 0)
            counted_N = (events.start_N >= spans[0][0]) & (events.start_N <= until)
            counts.update(events.kind_N[counted_N].tolist())
        days = max(observed_days, 1)
        return {kind: counts[kind] / days * DAYS_PER_YEAR for kind in self.event_kinds}

    def _days(self, name: str) -> dict[Unit, int | None]:
        """Return a column of dates as days since 1970-01-01, None where there is none."""
        days: dict[Unit, int | None] = {}
        for unit, date in unit_column(self.units, name).items():
            days[unit] = None if date is None else (date - EPOCH).days
        return days

    def summary(self) -> dict[str, Any]:
        """Return counts for the closing summary and the report."""
        first, last = self.days
        dropped = {
            name: list(points) for name, points in self.dropped_points.items() if points
        }
        return {
            "facilities": len(pc.unique(self.units["facility_id"])),
            "equipment": self.units.num_rows,
            "points": pc.sum(pc.list_value_length(self.units["points"])).as_py(),
            "first_date": (EPOCH + dt.timedelta(days=first)).isoformat(),
            "last_date": (EPOCH + dt.timedelta(days=last)).isoformat(),
            "events": text_counts(self.events["kind"]),
            "classes": text_counts(self.units["class"]),
            "dropped_points": dropped,
        }
