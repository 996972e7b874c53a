"""A simulated fleet as the record that people type."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hvac.simulate.fleet import Fleet

HEADERS = (
    "点検ID",
    "共通分類コード",
    "テナントid",
    "設備id",
    "チェック項目id",
    "上限値",
    "下限値",
    "実施日時",
    "実施結果の値",
)
MISSING = ("－", "欠測", "")
FULL_WIDTH = str.maketrans("0123456789.-,", "０１２３４５６７８９．－，")
WIDE_SHARE = 0.03  # values typed in full-width characters
# missing days that have a row with a missing mark; the others have no row
MARKED_SHARE = 0.7


def write_inspection_csv(fleet: Fleet, path: Path, *, seed: int = 0) -> None:
    """Readings as one cp932 CSV, as inspectors keep it.

    Dates are like 2024/3/1 5:04, some digits are full-width, thousands have commas. Most of the missing days get
    a row with `－`, `欠測` or nothing as the value.
    """
    rng = np.random.default_rng(seed)
    with path.open("w", encoding="cp932", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(HEADERS)
        writer.writerows(_rows(fleet, rng))


def _rows(fleet: Fleet, rng: np.random.Generator) -> Iterator[tuple[object, ...]]:
    """Give the rows of the inspection record, in the order of `HEADERS`."""
    ids = fleet.equipment["equipment_id"].to_pylist()
    kinds = fleet.equipment["class"].to_pylist()
    kind_of = dict(zip(ids, kinds, strict=True))
    frame = _with_missing_days(fleet.readings.to_pandas(date_as_object=False), rng)
    rows: Any = frame.itertuples(index=False)
    for number, row in enumerate(rows, start=1):
        hour = rng.integers(5, 18)
        minute = rng.integers(0, 60)
        yield (
            number,
            kind_of[row.equipment_id],
            row.facility_id,
            row.equipment_id,
            row.point_id,
            _written(row.upper_limit),
            _written(row.lower_limit),
            f"{row.date.year}/{row.date.month}/{row.date.day} {hour}:{minute:02d}",
            _typed(row.value, rng),
        )


def _with_missing_days(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Add a row without a value for most of the days a series lacks; sort by date."""
    series = ["facility_id", "equipment_id", "point_id"]
    limits = frame.drop_duplicates(series)[[*series, "lower_limit", "upper_limit"]]
    date = frame["date"]
    every_day = pd.date_range(date.min(), date.max())
    days = pd.DataFrame({"date": every_day.astype(date.dtype)})
    values = frame[[*series, "date", "value"]]
    limits_by_day = limits.merge(days, how="cross")
    full = limits_by_day.merge(values, how="left", on=[*series, "date"])
    kept = full["value"].notna() | (rng.random(len(full)) < MARKED_SHARE)
    return full[kept].sort_values(["date", *series], kind="stable")


def _written(value: float) -> str:
    return "" if np.isnan(value) else f"{value:,g}"


def _typed(value: float, rng: np.random.Generator) -> str:
    """Return a value as an inspector types it: sometimes full-width, a mark where missing."""
    if np.isnan(value):
        return MISSING[int(rng.integers(0, len(MISSING)))]
    text = f"{value:,}"
    return text.translate(FULL_WIDTH) if rng.random() < WIDE_SHARE else text
