"""What all source files say of equipment, joined and kept so that a new file is added to it.

The equipment of a large fleet is joined by shares of its facilities, one Ray task each: the driver
sees a row of each machine, and neither its points nor its months.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple, TypedDict

import pyarrow as pa
import pyarrow.parquet as pq
import ray

from hvac.json_values import Json
from hvac.panel.grid import Unit
from hvac.panel.registering import RecordedUnits, recorded_units
from hvac.panel.series_table import absent_days, joined_series
from hvac.panel.spans import joined_months
from hvac.storage import (
    AnyPath,
    place,
    read_mark,
    read_parquet,
    remove_tree,
    write_json,
    write_parquet,
)
from ray_jobs.run.progress import finished
from ray_jobs.tables.file_parts import SHARES, kept_tables

POINT_IDS: Final = ["facility_id", "equipment_id", "point_id"]
TABLES: Final = ("series", "months", "classes", "overlapping")
POINTS_TOGETHER: Final = 300_000  # points that are joined in one process


class JoinedFiles(NamedTuple):
    """What all files say of equipment.

    `overlapping` are the units of which a file has readings of days that another has, or may have:
    they lie between a point's first and last day. `absent_days` are those between each point's
    first and last without a reading.
    """

    recorded: RecordedUnits
    overlapping: pa.Table
    absent_days: int


class ShareFacts(TypedDict):
    """What a share was joined of, and what it holds beside tables."""

    keys: list[str]
    gaps: list[str]
    absent_days: int
    points: int


def joined_files(panel: AnyPath, keys: Collection[str]) -> JoinedFiles:
    """Add the files that are new to those that were joined before, and keep the result."""
    folder = panel / "joined"
    count = _share_count(panel, folder, keys)
    names = _names(count)
    todo = [name for name in names if set(_facts(folder / name)["keys"]) != set(keys)]
    if count == 1 and todo:
        join_share(str(panel), names[0], sorted(keys))
    elif todo:
        task = ray.remote(num_cpus=1, max_retries=2)(join_share)
        refs = [task.remote(str(panel), name, sorted(keys)) for name in todo]
        finished("ingest", "shares", refs)
    return _together([folder / name for name in names])


def _share_count(panel: AnyPath, folder: AnyPath, keys: Iterable[str]) -> int:
    """Return into how many shares the fleet is cut: as before, unless it has grown too large."""
    before = read_mark(folder / "shares.json").get("count")
    if isinstance(before, int):
        points = sum(_facts(folder / name)["points"] for name in _names(before))
        if before == SHARES or points <= 2 * POINTS_TOGETHER * before:
            return before
    remove_tree(folder)  # cut otherwise, of an earlier version, or begun and left
    points = 0
    for key in keys:
        with (panel / "files" / f"{key}.series.parquet").open("rb") as file:
            points += pq.ParquetFile(file).metadata.num_rows
    count = 1
    while count < SHARES and points > POINTS_TOGETHER * count:
        count *= 2
    write_json(folder / "shares.json", {"count": count})
    return count


def _names(count: int) -> list[str]:
    """Return the names of the shares' folders."""
    return [f"{share:02d}-of-{count:02d}" for share in range(count)]


def _facts(folder: AnyPath) -> ShareFacts:
    """Read what a share was joined of; nothing where it is not whole."""
    facts: ShareFacts = {"keys": [], "gaps": [], "absent_days": 0, "points": 0}
    facts.update(read_mark(folder / "keys.json"))  # type: ignore[typeddict-item]
    return facts


def _together(folders: list[AnyPath]) -> JoinedFiles:
    """Lay the shares one after another, sorted by the ids of equipment."""
    tables: dict[str, pa.Table] = {}
    for name in ("units", "overlapping"):
        parts = [read_parquet(folder / f"{name}.parquet") for folder in folders]
        tables[name] = pa.concat_tables(parts)
    facts = [_facts(folder) for folder in folders]
    units = tables["units"]
    if len(folders) > 1:
        units = units.sort_by([(name, "ascending") for name in Unit._fields])
    gaps = [gap for share in facts for gap in share["gaps"]]
    absent = sum(share["absent_days"] for share in facts)
    return JoinedFiles(RecordedUnits(units, gaps), tables["overlapping"], absent)


def join_share(panel_folder: str, name: str, keys: list[str]) -> None:
    """Join one share of the equipment of all files; the name says which of how many.

    A file that was joined and is gone has all of them joined anew.
    """
    panel = place(panel_folder)
    folder = panel / "joined" / name
    share, _, count = name.partition("-of-")
    among = list(range(int(share), SHARES, int(count)))
    before = set(_facts(folder)["keys"])
    there = _read(folder) if before and before <= set(keys) else {}
    if not there:
        before = set()
    new = sorted(set(keys) - before)
    series = [joined_series(kept_tables(panel, [key], "series", among)) for key in new]
    if there:
        series.insert(0, there["series"])
    others = {n: [kept_tables(panel, new, n, among)] for n in ("months", "classes")}
    for table_name, tables in others.items():
        tables += _one(there, table_name)
    units = [*_one(there, "overlapping"), _overlapping(series)]
    joined = {
        "series": joined_series(pa.concat_tables(series)),
        "months": joined_months(pa.concat_tables(others["months"])),
        "classes": _distinct(pa.concat_tables(others["classes"])),
        "overlapping": _distinct(pa.concat_tables(units)),
    }
    recorded = recorded_units(joined["series"], joined["classes"], joined["months"])
    (folder / "keys.json").unlink(missing_ok=True)  # killed from here on: joins anew
    for table_name, table in {**joined, "units": recorded.units}.items():
        write_parquet(table, folder / f"{table_name}.parquet")
    facts: dict[str, Json] = {
        "keys": list(keys),
        "gaps": list(recorded.gaps),
        "absent_days": absent_days(joined["series"]),
        "points": len(joined["series"]),
    }
    write_json(folder / "keys.json", facts)


def _one(tables: dict[str, pa.Table], name: str) -> list[pa.Table]:
    return [tables[name]] if name in tables else []


def _distinct(table: pa.Table) -> pa.Table:
    return table.group_by(table.column_names, use_threads=False).aggregate([])


def _read(folder: AnyPath) -> dict[str, pa.Table]:
    """Read what was joined before; nothing where it is not whole."""
    try:
        return {name: read_parquet(folder / f"{name}.parquet") for name in TABLES}
    except (OSError, pa.ArrowException):
        return {}


def _overlapping(files: list[pa.Table]) -> pa.Table:
    """Return the ids of units of which a file has a point that begins before another file's ends."""
    columns = [*POINT_IDS, "first", "last"]
    days = [table.select([*POINT_IDS, "date_min", "date_max"]) for table in files]
    rows = (
        pa.concat_tables(days).rename_columns(columns).to_pandas(date_as_object=False)
    )
    rows["series"] = rows.groupby(POINT_IDS, sort=False).ngroup()
    rows = rows.sort_values(["series", "first"], kind="stable")
    until = rows.groupby("series", sort=False)["last"].cummax()
    before = until.groupby(rows["series"], sort=False).shift()
    units = rows.loc[rows["first"] <= before, POINT_IDS[:2]].drop_duplicates()
    ids = pa.schema([(name, pa.string()) for name in POINT_IDS[:2]])
    return pa.Table.from_pandas(units, schema=ids, preserve_index=False)
