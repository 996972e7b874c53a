"""What is published of the newest scores: one table and a ranking, or of a large fleet its first part.

Every bucket writes its newest scores, and beside them the turn of each piece of equipment in the
ranking, so that the first of a fleet are found without reading it all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hvac.arrays import Floats, Positions
from hvac.panel.joins import unit_ids
from hvac.panel.windows import LEARNING
from hvac.scoring.latest import LATEST
from hvac.scoring.latest_rows import RankedUnit
from hvac.scoring.turns import TURNS, turns_table
from hvac.scoring.worklist import ranking, turn
from hvac.storage import (
    AnyPath,
    matching,
    parquet_dataset,
    repeating_columns,
    replacing,
    write_parquet,
)

RANKED: Final = (
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
    "doubts",
    "driving_point",
    "reasons",
    "needs_look",
    "bundle_id",
)


def newest_file(folder: AnyPath, bucket: str) -> AnyPath:
    """Return the file of a bucket's newest scores."""
    return folder / "latest" / f"part-{bucket}.parquet"


def turns_file(folder: AnyPath, bucket: str) -> AnyPath:
    """Return the file of the turns of a bucket's equipment."""
    return folder / "turns" / f"part-{bucket}.parquet"


def write_newest(table: pa.Table, folder: AnyPath, bucket: str) -> None:
    """Write the newest scores of a bucket, and the turn of its equipment in the ranking."""
    write_parquet(turns_table(table), turns_file(folder, bucket))
    write_parquet(table, newest_file(folder, bucket))


class FleetTurns(NamedTuple):
    """All equipment of a fleet: a row each, as `TURNS`."""

    table: pa.Table

    @property
    def statuses(self) -> dict[str, int]:
        """Count the equipment by the status of its newest window."""
        counted = self.table.group_by("status").aggregate([([], "count_all")])
        pairs = zip(
            counted["status"].to_pylist(), counted["count_all"].to_pylist(), strict=True
        )
        return dict(sorted(pairs))

    @property
    def learning_days(self) -> tuple[int, int] | None:
        """Return the fewest and most days of learning left; None where none learns."""
        learning = self.table.filter(pc.equal(self.table["status"], LEARNING))
        days = pc.min_max(learning["learning_days_left"]).as_py()
        return None if days["min"] is None else (days["min"], days["max"])

    def first(self, count: int) -> pa.Table:
        """Return the ids of the equipment that comes first in the ranking."""
        rows = _first_rows(self.table["turn"].combine_chunks(), count)
        return self.table.select(["facility_id", "equipment_id"]).take(pa.array(rows))


def fleet_turns(folder: AnyPath) -> FleetTurns:
    """Read the turns of all buckets."""
    files = matching(folder / "turns", "part-*.parquet")
    tables = [
        TURNS.empty_table(),
        *(parquet_dataset([file]).to_table() for file in files),
    ]
    return FleetTurns(pa.concat_tables(tables))


def _first_rows(turns: pa.ListArray, count: int) -> Positions:
    """Return the places of the smallest turns, which are compared place by place."""
    width_U = pc.list_value_length(turns).to_numpy()
    turn_UW: Floats = np.full((len(turns), width_U.max(initial=0)), -np.inf)
    filled_UW = np.arange(turn_UW.shape[1]) < width_U[:, None]
    turn_UW[filled_UW] = turns.flatten().to_numpy()
    return np.lexsort(turn_UW.T[::-1])[:count]


def newest_entries(
    folder: AnyPath, last_day: dt.date, chosen: pa.Table | None = None
) -> list[RankedUnit]:
    """Rank some equipment (by default all) by its newest scores, which are read part after part."""
    entries: list[RankedUnit] = []
    ids = None if chosen is None else unit_ids(chosen)
    for table in _parts(folder, list(RANKED)):
        if ids is not None:
            table = table.filter(pc.is_in(unit_ids(table), value_set=ids))
        entries += ranking(table.to_pylist(), last_day=last_day)
    return sorted(entries, key=turn)


def join_newest(folder: AnyPath, path: AnyPath) -> None:
    """Join the newest scores of all buckets into one file, part after part."""
    repeating = repeating_columns(LATEST)
    with (
        replacing(path) as building,
        pq.ParquetWriter(building, LATEST, use_dictionary=repeating) as writer,
    ):
        for table in _parts(folder):
            writer.write_table(table)


def _parts(folder: AnyPath, columns: list[str] | None = None) -> Iterator[pa.Table]:
    for file in matching(folder / "latest", "part-*.parquet"):
        yield parquet_dataset([file]).to_table(columns=columns)
