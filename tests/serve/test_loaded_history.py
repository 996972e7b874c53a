"""Past scores that the batch jobs kept come into the store: they draw the risk's trend."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from hvac.days import EPOCH
from hvac.panel.grid import Unit
from hvac.scoring.latest import PAST
from hvac.storage import write_parquet
from serve.load import HISTORY_DAYS, _load_history
from serve.memory.store import Store

UNIT = Unit("F1", "E1")
LAST = dt.date(2026, 3, 31)


def part(folder: Path, day: dt.date, name: str, risk: float, *, alarm: bool) -> None:
    row: dict[str, Any] = dict.fromkeys(PAST.names)
    row |= {"facility_id": "F1", "equipment_id": name, "end_date": day, "horizon": 30}
    row |= {
        "risk": risk,
        "alarm": alarm,
        "bundle_id": "b-1",
        "status": "ok",
        "class": "ahu",
    }
    table = pa.Table.from_pylist([row], schema=PAST)
    write_parquet(
        table, folder / "facility_id=F1" / f"end_date={day}" / f"part-{name}.parquet"
    )


def test_scores_of_the_last_days_of_known_machines_are_taken(tmp_path: Path) -> None:
    history = tmp_path / "history"
    days = [LAST - dt.timedelta(days=n) for n in (0, 7, HISTORY_DAYS + 1)]
    for day, risk in zip(days, (0.6, 0.2, 0.1), strict=True):
        part(history, day, "E1", risk, alarm=risk > 0.5)
    part(history, LAST, "gone", 0.9, alarm=True)
    store = Store.open(str(tmp_path / "store.sqlite"))
    registry: Any = SimpleNamespace(kinds={UNIT: "ahu"})
    _load_history(store, history, registry)
    past = store.recent(0)
    assert [(row.unit, row.end_day) for row in past] == [
        (UNIT, (day - EPOCH).days) for day in (days[1], days[0])
    ]
    assert [(row.risk, row.alarm) for row in past] == [(0.2, False), (0.6, True)]
    _load_history(store, tmp_path / "none", registry)
    assert len(store.recent(0)) == 2
