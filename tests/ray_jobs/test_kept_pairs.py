"""Pairs of risks by champion and challenger stay when a machine whose readings stopped is scored again."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ray_jobs.tables.scorer import _write_pairs, shadow_part

BEFORE, NOW = dt.date(2026, 7, 25), dt.date(2026, 8, 1)
Day = tuple[str, dt.date]


def pairs_of(newest: list[Day], risk: float) -> pa.Table:
    rows = [
        {
            "equipment_id": name,
            "point_id": None,
            "end_date": day,
            "horizon": horizon,
            "risk": risk,
        }
        for name, day in newest
        for horizon in (30, 60)
    ]
    return pa.Table.from_pylist(rows).cast(
        pa.schema(
            [
                ("equipment_id", pa.string()),
                ("point_id", pa.string()),
                ("end_date", pa.date32()),
                ("horizon", pa.int32()),
                ("risk", pa.float64()),
            ]
        )
    )


def kept(root: Path, day: dt.date) -> list[tuple[str, int, float]]:
    rows = pq.read_table(shadow_part(root, day, "F1.0000")).to_pylist()
    return [(row["equipment_id"], row["horizon"], row["risk"]) for row in rows]


def test_a_machine_that_stopped_takes_away_nobodys_pairs(tmp_path: Path) -> None:
    _write_pairs(pairs_of([("A", BEFORE), ("B", BEFORE)], 0.1), tmp_path, "F1.0000")
    _write_pairs(pairs_of([("A", NOW), ("B", BEFORE)], 0.2), tmp_path, "F1.0000")
    assert kept(tmp_path, BEFORE) == [
        ("A", 30, 0.1),
        ("A", 60, 0.1),
        ("B", 30, 0.2),
        ("B", 60, 0.2),
    ]
    assert kept(tmp_path, NOW) == [("A", 30, 0.2), ("A", 60, 0.2)]
