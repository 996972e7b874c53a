"""From the store's records and a request's bodies to the asks that the stages answer."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from hvac.panel.grid import Unit
from hvac.readings.gate import CANONICAL
from serve.bodies.body_rows import day_number, event_rows, given_readings, merged
from serve.bodies.problems import Refused, Unknown
from serve.bodies.schemas import AskedUnit
from serve.graph.asks import Ask, compact
from serve.ids import is_id
from serve.memory.store import ALL, Store, UnitRow
from serve.memory.store_tables import EventRow
from serve.work.bundle_choice import Assigned, BundleChoice
from serve.work.record_cache import RecordCache


class UnitAsks:
    """Asks for equipment of the store, and for what a request sends."""

    def __init__(
        self, store: Store, choice: BundleChoice, records: RecordCache
    ) -> None:
        self.store = store
        self.choice = choice
        self.records = records

    def record(self, unit: Unit) -> tuple[UnitRow, pa.Table, list[EventRow]]:
        """Return equipment with its readings and events. Raise Unknown where it is not stored."""
        stored = self.store.unit(unit)
        if stored is None:
            raise Unknown(f"{unit.facility_id} {unit.equipment_id} is not known here")
        return stored, *self.records.of(stored)

    def stored_ask(self, unit: Unit, assigned: Assigned) -> Ask:
        """Return the ask for a unit of the store, by the bundles that serve now.

        Raises:
            Unknown, Refused: it cannot be scored.
        """
        stored = self.store.unit(unit)
        if stored is None:
            raise Unknown("it is not in the store any more")
        if not (is_id(unit.facility_id) and is_id(unit.equipment_id)):
            raise Refused(
                "its id is none that is accepted: expected 1 to 128 characters, none a control"
                " character"
            )
        bundle_id = self.choice.bundle_of(assigned, unit.facility_id, stored.class_name)
        table, events = self.records.of(stored)
        return Ask(
            bundle_id=bundle_id,
            unit=unit,
            class_name=stored.class_name or ALL,
            readings=compact(table),
            events=events,
            install_day=stored.install_day,
            watched=self.choice.watched(bundle_id),
        )

    def asks(self, units: Sequence[AskedUnit]) -> list[Ask]:
        """Return the ask for each unit: its stored record with what was sent laid over it."""
        return [self._ask(body) for body in units]

    def _ask(self, body: AskedUnit) -> Ask:
        unit = body.unit
        named = f"{unit.facility_id} {unit.equipment_id}"
        stored = self.store.unit(unit)
        class_name = body.equipment_class or (stored.class_name if stored else "")
        given = given_readings(body)
        if stored is None and not len(given):
            if body.readings or body.window:
                raise Refused(f"{named}: no value is given, only nulls")
            raise Unknown(f"{named} is not known here: send its readings, or a window")
        bundle_id = self.choice.bundle_for(unit.facility_id, class_name)
        table, events = (
            self.records.of(stored) if stored else (CANONICAL.empty_table(), [])
        )
        new_events = [row for row in event_rows(unit, body.events) if row not in events]
        install_day = day_number(body.install_date)
        if stored and body.install_date is None:
            install_day = stored.install_day
        return Ask(
            bundle_id=bundle_id,
            unit=unit,
            class_name=class_name or ALL,
            readings=merged(compact(table), given),
            events=[*events, *new_events],
            install_day=install_day,
            end_day=day_number(body.end_date),
        )
