"""What all source files say of points, months and classes, kept so that a new file is added to it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

import pyarrow as pa

from hvac.panel.series_table import joined_series
from hvac.panel.spans import joined_months
from hvac.storage import AnyPath, read_mark, read_parquet, write_json, write_parquet
from ray_jobs.tables.file_parts import kept_tables

POINT_IDS: Final = ["facility_id", "equipment_id", "point_id"]


class JoinedFiles(NamedTuple):
    """The tables of all files, joined: a row per point, per unit and month, per unit and class.

    `overlapping` are the units of which a new file has readings of days that were there before, or
    may have: they lie between a point's first and last day.
    """

    series: pa.Table
    months: pa.Table
    classes: pa.Table
    overlapping: pa.Table


def joined_files(panel: AnyPath, keys: Collection[str]) -> JoinedFiles:
    """Add the files that are new to those that were joined before, and keep the result.

    A file that was joined and is gone has all of them joined anew.
    """
    folder = panel / "joined"
    before = set(read_mark(folder / "keys.json").get("keys", ()))
    there = _read(folder) if before and before <= set(keys) else {}
    if not there:
        before = set()
    new = sorted(set(keys) - before)
    if there and not new:
        return JoinedFiles(**there)
    series = [joined_series(kept_tables(panel, [key], "series")) for key in new]
    if there:
        series.insert(0, there["series"])
    others = {name: [kept_tables(panel, new, name)] for name in ("months", "classes")}
    for name, tables in others.items():
        if there:
            tables.append(there[name])
    units = [*_one(there, "overlapping"), _overlapping(series)]
    joined = JoinedFiles(
        joined_series(pa.concat_tables(series)),
        joined_months(pa.concat_tables(others["months"])),
        _distinct(pa.concat_tables(others["classes"])),
        _distinct(pa.concat_tables(units)),
    )
    (folder / "keys.json").unlink(
        missing_ok=True
    )  # a run killed from here on joins all anew
    for name, table in joined._asdict().items():
        write_parquet(table, folder / f"{name}.parquet")
    write_json(folder / "keys.json", {"keys": sorted(keys)})
    return joined


def _one(tables: dict[str, pa.Table], name: str) -> list[pa.Table]:
    return [tables[name]] if name in tables else []


def _distinct(table: pa.Table) -> pa.Table:
    return table.group_by(table.column_names, use_threads=False).aggregate([])


def _read(folder: AnyPath) -> dict[str, pa.Table]:
    """Read what was joined before; nothing where it is not whole."""
    try:
        return {
            name: read_parquet(folder / f"{name}.parquet")
            for name in JoinedFiles._fields
        }
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
