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
from serve.memory.store_predictions import StoredPrediction
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
    """Return the newest predictions of units, without reasons; none of one that waits to be scored.

    Raises:
        StoreError: the database cannot be reached or read.
    """
    waiting = set(store.waiting(units))
    known = store.predictions_of(units)
    answers = []
    for unit in units:
        stored = [] if unit in waiting else known.get(unit, [])
        is_whole = all(map(is_sound, stored))
        answers.append(dated(stored, reasons=False) if is_whole else [])
    return answers


def dated(stored: Iterable[StoredPrediction], *, reasons: bool = True) -> Rows:
    """Return stored predictions as rows of `latest.parquet`, with reasons or without."""
    rows: Rows = []
    for row in stored:
        end_date = dt.date.fromisoformat(row["end_date"])
        kept = row if reasons else {**row, "reasons": None, "cases": None}
        rows.append(cast(LatestRow, {**kept, "end_date": end_date}))
    return rows
