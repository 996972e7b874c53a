"""Risks from readings in one call: what `Bundle.predict_readings` does.

Units that cannot be scored come back with a status and no risk, as in `latest.parquet`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from hvac.cells import CellValue
from hvac.explain.reason import reason_of
from hvac.explain.wording import reasons_line
from hvac.features.peer_groups import peer_levels
from hvac.features.recipe import Recipe
from hvac.features.scene import Scene, UnitRecord, scenes
from hvac.panel.grid import Panel, Unit
from hvac.panel.record import Record, read_record
from hvac.panel.registry import ALL
from hvac.readings.frames import Table, source_of

if TYPE_CHECKING:
    from hvac.scoring.bundle import Bundle

log = logging.getLogger(__name__)
OTHER_CLASS = "other_class"
NO_POINT = "no_known_point"
COLUMNS = (
    "facility_id",
    "equipment_id",
    "point_id",
    "class",
    "end_date",
    "horizon",
    "risk",
    "threshold",
    "alarm",
    "status",
    "learning_days_left",
    "observed_share",
    "risk_low",
    "risk_high",
    "needs_look",
    "similar_units",
    "why",
)


def predict_readings(
    bundle: Bundle,
    readings: Table,
    events: Table | None = None,
    equipment: Table | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """Score the newest window of every unit; see `Bundle.predict_readings`."""
    from hvac.scoring.latest import latest_rows

    pooled = bundle.recipe.class_name == ALL
    with source_of(readings, events, equipment, **settings) as source:
        record = read_record(source, by_class=not pooled)
    has_classes = set(record.registry.kinds.values()) != {ALL}
    for sentence in record.registry.notes:
        log.warning("%s", sentence)
    units = _units_of_class(record, bundle.recipe, everyone=pooled or not has_classes)
    panels = {
        panel.unit: panel
        for panel in record.panels(
            bundle.recipe.points, bundle.recipe.windows.aggregate
        )
        if panel.unit in units
    }
    every_scene = _scenes(
        record, list(panels.values()), bundle.recipe, as_own=not has_classes
    )
    rows = []
    if every_scene:
        for row in latest_rows(every_scene, bundle, explain="alarms").to_pylist():
            reasons = [reason_of(reason) for reason in row["reasons"] or ()]
            rows.append({**row, "why": reasons_line(reasons, "en") or None})
    rows += _rows_without_risk(record, bundle, units, set(panels))
    rows.sort(
        key=lambda row: (
            [str(row[name]) for name in COLUMNS[:3]] + [f"{row['horizon']:05d}"]
        )
    )
    return _frame(rows)


def _units_of_class(record: Record, recipe: Recipe, *, everyone: bool) -> set[Unit]:
    """Return the units that a bundle's recipe is for."""
    classes = record.registry.classes
    return {
        unit for unit, name in classes.items() if everyone or name == recipe.class_name
    }


def _scenes(
    record: Record, panels: Sequence[Panel], recipe: Recipe, *, as_own: bool
) -> list[Scene]:
    """Return what is known of every unit, peers among it.

    Args:
        as_own: whether all units are taken to be of the recipe's class, as nothing tells it.
    """
    registry = record.registry
    levels = peer_levels(registry, panels, recipe)
    every_scene = []
    for panel in panels:
        kind = registry.kinds[panel.unit]
        about = UnitRecord(
            events=registry.events_of(panel.unit),
            install_day=registry.install_days[panel.unit],
            class_name=recipe.class_name if as_own else kind,
            peers=levels.get((kind, panel.unit.facility_id)),
        )
        every_scene += scenes(panel, recipe, about)
    return every_scene


def _rows_without_risk(
    record: Record, bundle: Bundle, units: set[Unit], scored: set[Unit]
) -> list[dict[str, CellValue]]:
    """Return rows of the units that the bundle is not for, or that have none of its points."""
    classes = record.registry.classes
    last_dates = record.registry.units["last_date"].to_pylist()
    rows: list[dict[str, CellValue]] = []
    for unit, last_date in zip(classes, last_dates, strict=True):
        if unit in scored:
            continue
        status = NO_POINT if unit in units else OTHER_CLASS
        row: dict[str, CellValue] = dict.fromkeys(COLUMNS) | {
            "facility_id": unit.facility_id,
            "equipment_id": unit.equipment_id,
            "class": classes[unit],
            "end_date": last_date,
            "status": status,
        }
        rows += [{**row, "horizon": horizon} for horizon in bundle.horizons]
    return rows


def _frame(rows: list[dict[str, CellValue]]) -> pd.DataFrame:
    """Return rows as a table whose unknown values are missing."""
    shown = [{name: row[name] for name in COLUMNS} for row in rows]
    table = pa.Table.from_pylist(shown)
    frame: pd.DataFrame = table.to_pandas()
    frame["end_date"] = pd.to_datetime(frame["end_date"])
    for name in ("alarm", "needs_look"):
        frame[name] = frame[name].astype("boolean")
    for name in ("risk", "risk_low", "risk_high"):
        frame[name] = frame[name].astype("float64")
    for name in ("learning_days_left", "similar_units"):
        frame[name] = frame[name].astype("Int64")
    return frame
