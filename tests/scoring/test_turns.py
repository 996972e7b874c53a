"""Turns of a whole table are those that the ranking gives one row after another."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from hvac.panel.windows import INSUFFICIENT, LEARNING, OK
from hvac.scoring.latest import LATEST
from hvac.scoring.turns import TURNS, turns_table
from hvac.scoring.worklist import ranking, turn

DAY = dt.date(2024, 5, 1)


def latest(seed: int, units: int = 60) -> pa.Table:
    """Rows of units of one to three points, some of them not scored, with equal risks among them."""
    rng = np.random.default_rng(seed)
    rows = []
    for unit in range(units):
        for point in range(rng.integers(1, 4)):
            status = str(rng.choice([OK, LEARNING, INSUFFICIENT], p=[0.7, 0.2, 0.1]))
            for horizon in (30, 60, 90)[: rng.integers(1, 4)]:
                scored = status == OK
                left = int(rng.integers(1, 60)) if status == LEARNING else None
                rows.append(
                    {
                        "facility_id": f"F{unit % 3}",
                        "equipment_id": f"E{unit}",
                        "point_id": f"p{point}",
                        "end_date": DAY,
                        "horizon": horizon,
                        "risk": float(rng.choice([0.1, 0.2, 0.3])) if scored else None,
                        "threshold": 0.2,
                        "alarm": bool(rng.random() < 0.3) if scored else None,
                        "needs_look": bool(rng.random() < 0.4) if scored else None,
                        "status": status,
                        "learning_days_left": left,
                    }
                )
    return pa.Table.from_pylist(rows, schema=LATEST)


@pytest.mark.parametrize("seed", range(5))
def test_turns_are_those_of_the_ranking(seed: int) -> None:
    table = latest(seed)
    entries = ranking(table.to_pylist(), last_day=DAY)
    by_ranking = [
        {**{name: entry[name] for name in TURNS.names[:-1]}, "turn": list(turn(entry))}
        for entry in entries
    ]
    by_table = turns_table(table).to_pylist()
    assert sorted(by_table, key=lambda row: row["equipment_id"]) == sorted(
        by_ranking, key=lambda row: row["equipment_id"]
    )
    assert {entry["status"] for entry in entries} == {OK, LEARNING, INSUFFICIENT}
    assert {row["turn"][0] for row in by_table} == {0, 1, 2, 3}


def test_no_row_has_no_turn() -> None:
    assert turns_table(LATEST.empty_table()).equals(TURNS.empty_table())
