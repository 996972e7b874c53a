"""What passes from the ingress to the stages: one `Ask` per unit; imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from hvac.panel.events import Events, events_by_unit, no_events
from hvac.panel.grid import Unit
from hvac.readings.registers import EVENTS
from serve.memory.store_tables import EventRow


class Watched(NamedTuple):
    """Bundles whose risks are kept side by side: one answers, the other scores in shadow."""

    champion: str
    challenger: str

    def other(self, bundle_id: str) -> str:
        """Return the one that does not answer.

        >>> Watched("a", "b").other("a"), Watched("a", "b").other("b")
        ('b', 'a')
        """
        return self.champion if bundle_id == self.challenger else self.challenger


@dataclass(frozen=True, kw_only=True)
class Ask:
    """The record of one piece of equipment, the bundle that scores it, and the day its window ends
    (None: the last).

    `readings` are CANONICAL without the ids and without columns that say nothing (`compact`);
    `events` are rows (facility, equipment, kind, start day, end day, point). `watched` are the bundles
    whose risks of this window are kept side by side, None where they are not.
    """

    bundle_id: str
    unit: Unit
    class_name: str
    readings: pa.Table
    events: Sequence[EventRow] = ()
    install_day: int | None = None
    end_day: int | None = None
    watched: Watched | None = None


def compact(readings: pa.Table) -> pa.Table:
    """Reduce one unit's CANONICAL readings for the way to the stages: no ids, no empty columns,
    points as codes.
    """
    filled = [
        name
        for name in readings.column_names[3:]
        if readings[name].null_count < readings.num_rows
    ]
    return readings.select(filled).add_column(
        0, "point_id", readings["point_id"].dictionary_encode()
    )


def events_of(ask: Ask) -> Events:
    """Return the events of an ask in the form in which the batch jobs read them from a table."""
    return unit_events(ask.unit, ask.events)


def unit_events(unit: Unit, rows: Sequence[EventRow]) -> Events:
    """Return the stored events of one unit in that form."""
    if not rows:
        return no_events()
    columns = [list(column) for column in zip(*rows, strict=True)]
    arrays = [
        (
            pa.array(column, pa.int32()).cast(pa.date32())
            if field.name in ("start", "end")
            else pa.array(column, field.type)
        )
        for column, field in zip(columns, EVENTS, strict=True)
    ]
    return events_by_unit(pa.table(arrays, schema=EVENTS))[unit]
