"""What is published of the newest scores: one table and a ranking, or of a large fleet its first part.

Every bucket writes its newest scores, and beside them the turn of each piece of equipment in the
ranking, so that the first of a fleet are found without reading it all.
"""

from __future__ import annotations

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
from hvac.scoring.latest_rows import LatestRow
from hvac.scoring.worklist import ranking, turn
from hvac.storage import AnyPath, matching, parquet_dataset, replacing, write_parquet

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
TURNS: Final = pa.schema(
    [
        ("facility_id", pa.string()),
        ("equipment_id", pa.string()),
        ("status", pa.string()),
        ("learning_days_left", pa.int32()),
        ("turn", pa.list_(pa.float64())),
    ]
)


def newest_file(folder: AnyPath, bucket: str) -> AnyPath:
    """Return the file of a bucket's newest scores."""
    return folder / "latest" / f"part-{bucket}.parquet"


def turns_file(folder: AnyPath, bucket: str) -> AnyPath:
    """Return the file of the turns of a bucket's equipment."""
    return folder / "turns" / f"part-{bucket}.parquet"


def write_newest(table: pa.Table, folder: AnyPath, bucket: str) -> None:
    """Write the newest scores of a bucket, and the turn of its equipment in the ranking."""
    rows: list[LatestRow] = table.select(RANKED).to_pylist()
    last_day = pc.max(table["end_date"]).as_py()
    turns = []
    for entry in ranking(rows, last_day=last_day) if rows else ():
        turns.append(
            {
                "facility_id": entry["facility_id"],
                "equipment_id": entry["equipment_id"],
                "status": entry["status"],
                "learning_days_left": entry["learning_days_left"],
                "turn": turn(entry),
            }
        )
    write_parquet(pa.Table.from_pylist(turns, schema=TURNS), turns_file(folder, bucket))
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
        rows = _first_rows(self.table["turn"].to_pylist(), count)
        return self.table.select(["facility_id", "equipment_id"]).take(pa.array(rows))


def fleet_turns(folder: AnyPath) -> FleetTurns:
    """Read the turns of all buckets."""
    files = matching(folder / "turns", "part-*.parquet")
    tables = [
        TURNS.empty_table(),
        *(parquet_dataset([file]).to_table() for file in files),
    ]
    return FleetTurns(pa.concat_tables(tables))


def _first_rows(turns: list[list[float]], count: int) -> Positions:
    """Return the places of the smallest turns, which are compared place by place."""
    width = max(map(len, turns), default=0)
    turn_UW: Floats = np.full((len(turns), width), -np.inf)
    for u, numbers in enumerate(turns):
        turn_UW[u, : len(numbers)] = numbers
    return np.lexsort(turn_UW.T[::-1])[:count]


def newest_rows(folder: AnyPath, chosen: pa.Table | None = None) -> list[LatestRow]:
    """Read the newest scores of some equipment (by default of all), part after part."""
    rows: list[LatestRow] = []
    for table in _parts(folder, list(RANKED)):
        if chosen is not None:
            table = table.filter(pc.is_in(unit_ids(table), value_set=unit_ids(chosen)))
        rows += table.to_pylist()
    return rows


def join_newest(folder: AnyPath, path: AnyPath) -> None:
    """Join the newest scores of all buckets into one file, part after part."""
    with replacing(path) as building, pq.ParquetWriter(building, LATEST) as writer:
        for table in _parts(folder):
            writer.write_table(table)


def _parts(folder: AnyPath, columns: list[str] | None = None) -> Iterator[pa.Table]:
    for file in matching(folder / "latest", "part-*.parquet"):
        yield parquet_dataset([file]).to_table(columns=columns)
