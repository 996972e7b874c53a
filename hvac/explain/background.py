"""The background: healthy windows of a class that a window is compared with to explain its risk.

A bundle keeps up to 64 of them, as float32. A window is compared with the 32 whose ends lie nearest
in the year, so that a season is not taken for a reason.

Legend: B windows, W background windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from hvac.arrays import AnyArray, Bools, DayNumbers, Ints
from hvac.errors import BundleError
from hvac.features.table import KEY_SCHEMA, Windows
from hvac.models.family import NEEDS

KEPT: Final = 64
COMPARED: Final = 32
SEASONS: Final = 4
SEED: Final = 18
DAYS_OF_YEAR: Final = 365.25
# kept per bundle (0.4 MB); many points mean fewer windows
MOST_NUMBERS: Final = 100_000
EXPLAINED: Final = (
    "features",
    "embedding",
    "context",
    "recent",
    "raw",
    "peers",
    "residuals",
    "activity",
)


def choose_background(windows: Windows, needs: tuple[str, ...]) -> Windows:
    """Choose healthy windows of training units, dealt over the seasons and their units.

    Healthy: an anomaly is known not to begin within the longest horizon; where no window is, within
    the next shorter one. Where there is none at all, all windows are taken to be usual.

    Args:
        windows: labelled windows that a family learned from.
        needs: what the family looks at (`FamilyConfig.needs`).
    """
    rows = np.flatnonzero(_healthy(windows))
    numbers = sum(_width(windows, need) for need in needs)
    count = max(min(KEPT, MOST_NUMBERS // max(numbers, 1)), COMPARED)
    chosen = np.sort(dealt(windows, rows, count))
    return only_needed(windows.take(chosen), needs)


def _healthy(windows: Windows) -> Bools:
    y_BH, known_BH = windows.labels
    calm_B = ~(y_BH & known_BH).any(axis=1)
    for h in reversed(range(y_BH.shape[1])):
        healthy_B = known_BH[:, h] & calm_B
        if healthy_B.any():
            return np.asarray(healthy_B)
    return np.ones(len(windows), dtype=bool)


def _width(windows: Windows, need: str) -> int:
    array = getattr(windows, NEEDS[need])
    return int(np.prod(array.shape[1:])) if array is not None else 0


def dealt(windows: Windows, rows: Ints, count: int) -> Ints:
    """Take windows in turn from every season, and within a season from every unit."""
    mixed = np.random.default_rng(SEED).permutation(rows)
    share_of_year_B = windows.end_day_B[mixed] % DAYS_OF_YEAR / DAYS_OF_YEAR
    season_B = (share_of_year_B * SEASONS).astype(int)
    order = pd.DataFrame(
        {"row": mixed, "season": season_B, "unit": windows.units[mixed]}
    )
    order["turn_of_unit"] = order.groupby(["season", "unit"]).cumcount()
    order = order.sort_values(["turn_of_unit", "unit"], kind="stable")
    order["turn_of_season"] = order.groupby("season").cumcount()
    order = order.sort_values(["turn_of_season", "season"], kind="stable")
    return order["row"].to_numpy()[:count]


def only_needed(windows: Windows, needs: tuple[str, ...]) -> Windows:
    """Return the windows with what a family looks at and nothing else."""
    kept = {NEEDS[need] for need in needs} | {"observed_B"}
    dropped: dict[str, Any] = {}
    for attribute in (*NEEDS.values(), "y_BH", "known_BH", "w_BH"):
        if attribute not in kept:
            dropped[attribute] = None
    return replace(windows, **dropped)


def background_arrays(background: Windows) -> dict[str, AnyArray]:
    """Return the arrays of a background by name, and the last day of each window."""
    arrays: dict[str, AnyArray] = {"end_day_B": background.end_day_B}
    for need in EXPLAINED:
        array = getattr(background, NEEDS[need])
        if array is not None:
            arrays[NEEDS[need]] = np.ascontiguousarray(array, dtype=np.float32)
    return arrays


def background_windows(arrays: Mapping[str, AnyArray]) -> Windows:
    """Return the windows that `background_arrays` gave.

    Raises:
        BundleError: if the arrays are not those of the same 1 to 64 windows.
    """
    end_day_B = arrays.get("end_day_B", np.empty(0))
    names = set(arrays) - {"end_day_B"}
    known = {NEEDS[need] for need in EXPLAINED}
    lengths = {len(array) for array in arrays.values()}
    if not names <= known or len(lengths) != 1 or not 1 <= len(end_day_B) <= KEPT:
        raise BundleError(
            "its background is damaged: expected the arrays of up to 64 windows"
        )
    count = len(end_day_B)
    columns = [
        _key_column(name, np.asarray(end_day_B, np.int32)) for name in KEY_SCHEMA.names
    ]
    fields: dict[str, Any] = {name: arrays[name] for name in names}
    keys = pa.table(columns, schema=KEY_SCHEMA)
    return Windows(keys=keys, observed_B=np.ones(count, np.float32), **fields)


def _key_column(name: str, end_day_B: DayNumbers) -> pa.Array:
    if name == "end_date":
        return pa.array(end_day_B, pa.int32()).cast(pa.date32())
    return pa.nulls(len(end_day_B), pa.string())


def nearest_in_year(end_day_B: DayNumbers, end_day_W: DayNumbers) -> list[int]:
    """Return for each window which background windows it is compared with, as bits.

    >>> bits = nearest_in_year(np.array([0], np.int32), np.arange(0, 640, 10, dtype=np.int32))
    >>> bits[0].bit_count(), bits[0] & 1
    (32, 1)
    """
    apart_BW = np.abs(end_day_B[:, None].astype(np.float64) - end_day_W) % DAYS_OF_YEAR
    apart_BW = np.minimum(apart_BW, DAYS_OF_YEAR - apart_BW)
    order_BW = np.argsort(apart_BW, axis=1, kind="stable")[:, :COMPARED]
    return [sum(1 << int(place) for place in places) for places in order_BW]
