"""The newest records of the store, kept in memory; readings that are pushed are laid into them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from hvac.panel.grid import Unit
from serve.memory.database import SqlValue
from serve.memory.store import Store, UnitRow
from serve.memory.store_tables import EventRow
from serve.memory.store_units import canonical

MOST: Final = 512
Record = tuple[pa.Table, list[EventRow]]


class RecordCache:
    """Readings and events of equipment, each in the version that was asked for last."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._records: OrderedDict[tuple[Unit, int], Record] = OrderedDict()

    def of(self, stored: UnitRow) -> Record:
        """Return readings and events of a version of equipment, from the store where need be."""
        key = (_unit(stored), stored.version)
        record = self._records.get(key)
        if record is None:
            events = [(*row[:5], row[5] or None) for row in self._store.events(key[0])]
            record = self._store.readings(key[0]), events
            self._keep(key, record)
        return record

    def lay(self, before: UnitRow, rows: Sequence[Sequence[SqlValue]]) -> None:
        """Lay readings that were stored into the record of before, so that it is not read again.

        Nothing happens where anybody else has changed the record in between.

        Args:
            before: the equipment as it was before they were stored.
            rows: the readings, as rows of `READING`.
        """
        unit = _unit(before)
        record = self._records.get((unit, before.version))
        now = self._store.unit(unit)
        if record is None or now is None or now.version != before.version + 1:
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
        self._records.pop((unit, before.version), None)
        together = pa.concat_tables([table.filter(pa.array(stays)), new])
        self._keep((unit, now.version), (together, events))

    def _keep(self, key: tuple[Unit, int], record: Record) -> None:
        self._records[key] = record
        while len(self._records) > MOST:
            self._records.popitem(last=False)


def _unit(stored: UnitRow) -> Unit:
    return Unit(stored.facility_id, stored.equipment_id)
