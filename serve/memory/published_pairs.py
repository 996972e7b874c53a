"""Pairs of risks by champion and challenger, as the batch jobs write them while one is watched."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.storage import AnyPath, matching, parquet_dataset
from hvac.update.matured import sure_log_odds
from serve.memory.store_shadow import ShadowRow

FOLDER = "update/shadow"  # of a workspace: a folder a day of the record


def pairs_mark(workspace: AnyPath) -> str:
    """Return what changes when pairs are written: the newest day, and its number of files; "" without."""
    parts = matching(workspace / FOLDER, "*/part-*.parquet")
    days = [part.parent.name for part in parts]
    return f"{max(days)} {days.count(max(days))}" if days else ""


def published_pairs(
    workspace: AnyPath, challengers: Collection[str], since: str = ""
) -> Iterator[list[ShadowRow]]:
    """Yield the pairs of some challengers, file by file.

    Args:
        workspace: of the batch jobs.
        challengers: ids of their bundles.
        since: first day, as text.
    """
    for part in matching(workspace / FOLDER, "*/part-*.parquet"):
        if part.parent.name >= since:
            table = parquet_dataset([part]).to_table()
            ids = pa.array([*challengers], pa.string())
            yield _rows(table.filter(pc.is_in(table["challenger_id"], ids)))


def _rows(pairs: pa.Table) -> list[ShadowRow]:
    known = pc.and_(pc.is_valid(pairs["risk"]), pc.is_valid(pairs["challenger_risk"]))
    both = pairs.filter(known)
    before_N, after_N = (
        sure_log_odds(np.asarray(both[name].to_numpy(), np.float64))
        for name in ("risk", "challenger_risk")
    )
    shifts, now = (after_N - before_N).tolist(), time.time()
    day_N = both["end_date"].cast(pa.date32()).cast(pa.int32()).to_pylist()
    rows = []
    for row, day, shift in zip(both.to_pylist(), day_N, shifts, strict=True):
        unit = (row["facility_id"], row["equipment_id"], row["point_id"] or "")
        risks = (row["risk"], row["challenger_risk"], shift)
        alarm_2 = (int(bool(row["alarm"])), int(bool(row["challenger_alarm"])))
        ids = (row["bundle_id"], row["challenger_id"])
        where = (*unit, row["horizon"], day)
        rows.append(ShadowRow._make((*where, *risks, *alarm_2, *ids, now)))
    return rows
