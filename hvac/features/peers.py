"""Peers: how far each point lies from the median of its class on the same day.

The largest nuisance in buildings is what all machines share: weather, season, load. The median of
the peers' normalised values on a day takes it out. Peers are the units of the same class and
facility where there are at least 5, else those of the whole fleet; below that there is nothing to
compare with, and the columns are nan.

Legend: U units, T days, C points. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from hvac.arrays import DayNumbers, Float32s
from hvac.panel.grid import Panel
from hvac.panel.windows import Scale

LEAST_PEERS: Final = 5
PEERS: Final = "peers"
# units of a group that count; more would cost memory and change little
MOST_PEERS: Final = 128


class PeerSeries(NamedTuple):
    """Normalised values of one unit, nan where not read in time; they count from `ready_C` on."""

    first_day: int
    value_TC: Float32s
    ready_C: DayNumbers


class PeerLevel(NamedTuple):
    """Median of a group on each day, for windows that end from `ready_C` on.

    It is nan where fewer than 5 units report.
    """

    points: tuple[str, ...]
    first_day: int
    median_TC: Float32s
    ready_C: DayNumbers


def level_to_arrow(level: PeerLevel) -> pa.Table:
    """Return a level as a table: one row per day, the medians as a list, the rest as metadata."""
    day_T = level.first_day + np.arange(len(level.median_TC))
    days = pa.array(day_T, pa.int32()).cast(pa.date32())
    median_N = np.ascontiguousarray(level.median_TC).ravel()
    flat = pa.array(median_N, pa.float32())
    medians = pa.FixedSizeListArray.from_arrays(flat, len(level.points))
    ready = level.ready_C.tolist()
    facts = json.dumps({"points": level.points, "ready": ready})
    table = pa.table({"date": days, "median": medians})
    return table.replace_schema_metadata({PEERS: facts})


def level_from_arrow(table: pa.Table) -> PeerLevel:
    """Return the level that `level_to_arrow` wrote."""
    facts = json.loads(table.schema.metadata[PEERS.encode()])
    days = table["date"].cast(pa.int32())
    first_day = int(days[0].as_py())
    medians = table["median"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    shape = (len(table), len(facts["points"]))
    median_TC = np.asarray(medians, dtype=np.float32).reshape(shape)
    return PeerLevel(
        tuple(facts["points"]),
        first_day,
        median_TC,
        np.array(facts["ready"], dtype=np.int32),
    )


def peer_series(panel: Panel, scale: Scale) -> PeerSeries:
    """Normalise a unit's values for its peers.

    Readings that became known after their day are left out.
    """
    with np.errstate(invalid="ignore"):
        value_TC = (panel.value_TC - scale.centre_TC) / scale.spread_TC
    day_T1 = (panel.first_day + np.arange(len(value_TC)))[:, None]
    in_time_TC = panel.observed_TC & (panel.known_TC <= day_T1)
    peer_TC = np.where(in_time_TC, value_TC, np.nan).astype(np.float32)
    return PeerSeries(panel.first_day, peer_TC, scale.ready_C)


def peer_level(
    points: tuple[str, ...], series: Sequence[PeerSeries]
) -> PeerLevel | None:
    """Take the median of a group day by day; None where it has fewer than 5 units.

    A unit's scale is known from its `ready_C` on. The group has a median once 5 units are ready:
    the first 5 count on all their days, since no window before that day looks at the group; every
    other unit counts from its own day on. So what a window sees of the group depends on nothing
    later than its end.

    >>> unit = PeerSeries(10, np.array([[1.0], [3.0]], np.float32), np.array([0], np.int32))
    >>> level = peer_level(("p",), [unit] * 4 + [unit._replace(value_TC=unit.value_TC + 5)])
    >>> level.first_day, level.median_TC.ravel().tolist()
    (10, [1.0, 3.0])
    """
    if len(series) < LEAST_PEERS:
        return None
    ready_UC = np.stack([unit.ready_C for unit in series])
    ready_C = np.sort(ready_UC, axis=0)[LEAST_PEERS - 1].astype(np.int32)
    first = min(unit.first_day for unit in series)
    stop = max(unit.first_day + len(unit.value_TC) for unit in series)
    shape = (len(series), stop - first, len(points))
    value_UTC = np.full(shape, np.nan, np.float32)
    day_T1 = np.arange(first, stop)[:, None]
    for value_TC, unit in zip(value_UTC, series, strict=True):
        start = unit.first_day - first
        value_TC[start : start + len(unit.value_TC)] = unit.value_TC
        value_TC[unit.ready_C > np.maximum(day_T1, ready_C)] = np.nan
    return PeerLevel(points, first, _medians(value_UTC), ready_C)


def _medians(value_UTC: Float32s) -> Float32s:
    """Return the median over units; nan where fewer than 5 units have a value [T, C]."""
    ordered_UTC = np.sort(value_UTC, axis=0)  # nan goes last
    count_TC = np.isfinite(value_UTC).sum(axis=0)
    last_TC = np.maximum(count_TC - 1, 0)
    low_1TC = np.take_along_axis(ordered_UTC, (last_TC // 2)[None], axis=0)
    upper_1TC = ((last_TC + 1) // 2)[None]
    high_1TC = np.take_along_axis(ordered_UTC, upper_1TC, axis=0)
    median_TC = np.float32(0.5) * (low_1TC + high_1TC)[0]
    return np.where(count_TC >= LEAST_PEERS, median_TC, np.float32(np.nan))
