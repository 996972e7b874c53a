"""The newest records of the store, kept in memory; readings that are pushed are laid into them.

What memory has no room for any more is kept in the store in one piece.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from hvac.panel.grid import Unit
from serve.memory.database import SqlValue
from serve.memory.store import Store, StoreError, UnitRow
from serve.memory.store_tables import EventRow
from serve.memory.store_units import canonical

log = logging.getLogger(__name__)
MOST: Final = 512
Key = tuple[Unit, int]
Record = tuple[pa.Table, list[EventRow]]
Rows = Sequence[Sequence[SqlValue]]


class RecordCache:
    """Readings and events of equipment, each in the version that was asked for last."""

    def __init__(self, store: Store, most: int = MOST) -> None:
        self._store = store
        self._most = most
        self._records: OrderedDict[Key, Record] = OrderedDict()
        self._stored: set[Key] = set()  # of those in memory, kept in the store too

    def of(self, stored: UnitRow) -> Record:
        """Return readings and events of a version of equipment, from the store where need be."""
        key = (_unit(stored), stored.version)
        return self._records.get(key) or self._read(stored)

    def _read(self, stored: UnitRow) -> Record:
        unit = _unit(stored)
        key = unit, stored.version
        record = self._kept(stored)
        if record is not None:
            self._stored.add(key)
        else:
            record = self._store.readings(unit), self._events(unit)
        self._records[key] = record
        self._trim()
        return record

    def lay(self, pushed: Sequence[tuple[UnitRow, Rows]]) -> None:
        """Lay readings that were stored into the records of before, so that these are not read again.

        Nothing happens to one that anybody else has changed in between.

        Args:
            pushed: equipment as it was before they were stored, and the readings as rows of
                `READING`.
        """
        for before, rows in pushed:
            self._lay(before, rows)
        self._trim()

    def _lay(self, before: UnitRow, rows: Rows) -> None:
        unit = _unit(before)
        now = self._store.unit(unit)
        if now is None or now.version != before.version + 1:
            return
        record = self._records.get((unit, before.version)) or self._kept(before)
        if record is None:
            return
        table, events = record
        new = canonical(unit, list(zip(*(row[2:] for row in rows), strict=True)))
        newest = {
            (row[2], row[3]): n for n, row in enumerate(rows)
        }  # the last of a day holds
        new = new.take(pa.array(sorted(newest.values())))
        days = table["date"].cast(pa.int32()).to_pylist()
        pairs = zip(table["point_id"].to_pylist(), days, strict=True)
        stays = np.array([pair not in newest for pair in pairs], dtype=np.bool_)
        self._forget((unit, before.version))
        together = pa.concat_tables([table.filter(pa.array(stays)), new])
        self._records[unit, now.version] = together, events

    def _kept(self, stored: UnitRow) -> Record | None:
        """Return a record that the store keeps in one piece; None where it does not."""
        unit = _unit(stored)
        table = self._store.kept_record(unit, stored.version)
        return None if table is None else (table, self._events(unit))

    def _events(self, unit: Unit) -> list[EventRow]:
        return [(*row[:5], row[5] or None) for row in self._store.events(unit)]

    def _trim(self) -> None:
        """Keep in the store, in one piece each, what memory has no room for."""
        gone = {}
        while len(self._records) > self._most:
            key, (table, _) = self._records.popitem(last=False)
            if key not in self._stored:
                gone[key] = table
            self._stored.discard(key)
        if not gone:
            return
        try:
            self._store.keep_records(gone)
        except StoreError as error:
            log.info("records were not kept, and will be read row by row: %s", error)

    def _forget(self, key: Key) -> None:
        self._records.pop(key, None)
        self._stored.discard(key)


def _unit(stored: UnitRow) -> Unit:
    return Unit(stored.facility_id, stored.equipment_id)
