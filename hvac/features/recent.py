"""Summaries of the last days of each point: short, few, and with missing days left missing.

The 28 statistics describe a filled window. These columns describe only the days that were read,
over several spans, so that a forest sees at which level a point stands now, how it moves, and where
it was silent. The same columns are made of several series of a point: its values as they are,
normalised values, deviations from peers, and residuals.

Legend: U units, D end days of each, B = U·D windows, T days of the grids, C points, S summaries.
Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hvac.arrays import AnyFloats, DayNumbers, Floats, Ints
from hvac.compiled import compiled

SPANS: Final = (3, 7, 14, 30, 90)
SLOPE_DAYS: Final = 30
RECENT_NAMES: Final = (
    *(f"mean_{days}d" for days in SPANS),
    "std_30d",
    "std_90d",
    "slope_30d",
    "last",
)
STD_30, STD_90, SLOPE, LAST = (
    RECENT_NAMES.index(name) for name in ("std_30d", "std_90d", "slope_30d", "last")
)


def recent(
    value_TC: Floats,
    known_TC: DayNumbers,
    end_day_B: DayNumbers,
    *,
    first_day: int,
    from_day_C: DayNumbers,
) -> Floats:
    """Summarise each point over the days before each window's end: `RECENT_NAMES`, in that order.

    Means over the last 3, 7, 14, 30 and 90 days, standard deviations (population) over the last 30
    and 90, the least squares slope over the last 30 (per day), and the last value within 90 days.

    Args:
        value_TC: one series per point, nan where a day was not read.
        known_TC: day on which each value became known; a window sees values known by its end.
        end_day_B: last day of each window.
        first_day: day of the first row.
        from_day_C: first end day of windows that may look at the point (before it, its scale is not
            known).

    Returns:
        float64 [B, C, 9]; nan where no day of a span was read (the slope: fewer than two days).

    >>> value_TC = np.array([[1.0], [np.nan], [3.0], [5.0]])
    >>> known, start = np.zeros((4, 1), np.int32), np.zeros(1, np.int32)
    >>> s_BCS = recent(value_TC, known, np.array([13], np.int32), first_day=10, from_day_C=start)
    >>> dict(zip(RECENT_NAMES, s_BCS[0, 0].round(2).tolist(), strict=True))["mean_3d"]
    4.0
    """
    return recent_of_units(
        np.ascontiguousarray(value_TC.T)[None],
        np.ascontiguousarray(known_TC.T)[None],
        np.asarray(end_day_B, dtype=np.int32)[None],
        first_day_U=np.array([first_day], dtype=np.int32),
        from_day_UC=np.asarray(from_day_C, dtype=np.int32)[None],
    )


def recent_of_units(
    value_UCT: Floats,
    known_UCT: DayNumbers,
    end_UD: DayNumbers,
    *,
    first_day_U: DayNumbers,
    from_day_UC: DayNumbers,
) -> Floats:
    """Summarise the points of many units, as `recent` does: [B, C, 9], unit after unit."""
    units, points, _ = value_UCT.shape
    out_UDCS = np.full((units, end_UD.shape[1], points, len(RECENT_NAMES)), np.nan)
    _summarise_units(value_UCT, known_UCT, first_day_U, end_UD, from_day_UC, out_UDCS)
    return out_UDCS.reshape(units * end_UD.shape[1], points, len(RECENT_NAMES))


def recent_of_windows(x_BCL: AnyFloats) -> Floats:
    """Summarise windows of which nothing but their own days is known, as `recent` does: [B, C, 9].

    A nan is a day that was not read; where gaps have been filled, the filled days count as read.

    >>> recent_of_windows(np.arange(90.0)[None, None])[0, 0, :2].tolist()
    [88.0, 86.0]
    """
    windows, points, days = x_BCL.shape
    series = x_BCL.reshape(windows * points, days).T.astype(np.float64)
    known = np.zeros(series.shape, np.int32)
    start = np.zeros(windows * points, np.int32)
    last_day = np.array([days - 1], np.int32)
    summaries = recent(series, known, last_day, first_day=0, from_day_C=start)
    return summaries.reshape(windows, points, len(RECENT_NAMES))


@compiled
def _summarise_units(
    value_UCT: Floats,
    known_UCT: DayNumbers,
    first_day_U: DayNumbers,
    end_UD: DayNumbers,
    from_UC: DayNumbers,
    out_UDCS: Floats,
) -> None:
    for u in range(len(value_UCT)):
        row_D = end_UD[u].astype(np.int64) - first_day_U[u]
        _summarise(
            value_UCT[u], known_UCT[u], row_D, end_UD[u], from_UC[u], out_UDCS[u]
        )


@compiled
def _summarise(
    value_CT: Floats,
    known_CT: DayNumbers,
    row_B: Ints,
    end_B: DayNumbers,
    from_C: DayNumbers,
    out_BCS: Floats,
) -> None:
    points, days = value_CT.shape
    for b in range(len(row_B)):
        for c in range(points):
            if from_C[c] > end_B[b]:
                continue
            count, total, squares, span, origin = 0, 0.0, 0.0, 0, np.nan
            time_sum, time_squares, products = 0.0, 0.0, 0.0
            for back in range(SPANS[-1]):
                t = row_B[b] - back
                if (
                    0 <= t < days
                    and np.isfinite(value_CT[c, t])
                    and known_CT[c, t] <= end_B[b]
                ):
                    if count == 0:
                        origin = value_CT[c, t]
                        out_BCS[b, c, LAST] = origin
                    deviation = value_CT[c, t] - origin  # exact where the level is high
                    count, total = count + 1, total + deviation
                    squares += deviation * deviation
                    time_sum, time_squares = time_sum - back, time_squares + back * back
                    products -= back * deviation
                if back + 1 == SPANS[span]:
                    if count > 0:
                        out_BCS[b, c, span] = origin + total / count
                    if back + 1 == SLOPE_DAYS:
                        width = count * time_squares - time_sum * time_sum
                        if width > 0:
                            out_BCS[b, c, SLOPE] = (
                                count * products - time_sum * total
                            ) / width
                        out_BCS[b, c, STD_30] = _deviation(count, total, squares)
                    span += 1
            out_BCS[b, c, STD_90] = _deviation(count, total, squares)


@compiled
def _deviation(count: int, total: float, squares: float) -> float:
    if count == 0:
        return np.nan
    return np.sqrt(max(squares / count - (total / count) ** 2, 0.0))  # type: ignore[no-any-return]
