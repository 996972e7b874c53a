"""Answers that the store holds already: of equipment that has not changed since it was scored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import cast

from hvac.panel.grid import Unit
from hvac.scoring.latest_rows import LatestRow
from serve.bodies.schemas import AskedUnit
from serve.graph.rows import Rows
from serve.memory.store import Store
from serve.memory.store_assignments import serving
from serve.memory.store_predictions import StoredPrediction
from serve.work.bundle_choice import Assigned
from serve.work.risk_rows import is_sound


def names_alone(units: Sequence[AskedUnit]) -> list[int]:
    """Return the places of units that are asked for by their ids alone."""
    return [
        place
        for place, unit in enumerate(units)
        if unit.readings is None
        and unit.window is None
        and not unit.events
        and unit.equipment_class is None
        and unit.install_date is None
        and unit.end_date is None
    ]


def stored_answers(store: Store, units: Sequence[Unit]) -> list[Rows]:
    """Return the newest predictions of units, without reasons.

    There are none of a unit that waits to be scored, or that another bundle serves by now.

    Raises:
        StoreError: the database cannot be reached or read.
    """
    waiting = set(store.waiting(units))
    known = store.predictions_of(units)
    assigned = store.assignments()
    answers = []
    for unit in units:
        stored = [] if unit in waiting else known.get(unit, [])
        holds = all(is_sound(row) and _serves(row, assigned) for row in stored)
        answers.append(dated(stored, reasons=False) if holds else [])
    return answers


def _serves(row: StoredPrediction, assigned: Assigned) -> bool:
    """Tell whether the bundle that a prediction is of serves still."""
    bundle_id = serving(assigned, row["facility_id"], row["class"])
    return bundle_id == row["bundle_id"]


def dated(stored: Iterable[StoredPrediction], *, reasons: bool = True) -> Rows:
    """Return stored predictions as rows of `latest.parquet`, with reasons or without."""
    rows: Rows = []
    for row in stored:
        end_date = dt.date.fromisoformat(row["end_date"])
        kept = row if reasons else {**row, "reasons": None, "cases": None}
        rows.append(cast(LatestRow, {**kept, "end_date": end_date}))
    return rows
