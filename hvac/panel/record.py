"""A whole record in memory: checked readings, and the registry of their units."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

from hvac.panel.daily_readings import Aggregate
from hvac.panel.grid import Panel, Unit, panels
from hvac.panel.registering import build_registry, recorded_units
from hvac.panel.registry import Registry
from hvac.panel.series_table import joined_series, series_table
from hvac.panel.spans import readings_by_month
from hvac.readings.gate import read_all
from hvac.readings.sources import SourceConfig


class Record(NamedTuple):
    """Readings as the gate gives them, and their units with class, events and installation."""

    readings: pa.Table
    registry: Registry

    def panels(self, points: tuple[str, ...], aggregate: Aggregate) -> Iterator[Panel]:
        """Lay every unit's readings of some points on a daily grid; units without any are left."""
        every_unit = {Unit(*unit): points for unit in self.registry.classes}
        return panels(self.readings, every_unit, aggregate=aggregate)


def read_record(source: SourceConfig, *, by_class: bool) -> Record:
    """Read all files of a source into memory.

    Args:
        by_class: whether units keep the class of the register; else all are of class "all".

    Raises:
        InputError: nothing can be read, or events do not match the equipment.
    """
    results = list(read_all(source))
    readings = pa.concat_tables([result.readings for result in results])
    registry = build_registry(
        recorded_units(
            joined_series(series_table(readings)),
            pa.concat_tables([result.classes for result in results]),
            readings_by_month(readings),
        ),
        source,
        by_class=by_class,
        min_point_share=0.0,
    )
    return Record(readings, registry)
