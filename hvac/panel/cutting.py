"""Windows cut from daily grids: filled, normalised, and with the reason why one has no score.

Legend: U units, D end days of each unit, B = U·D windows, C points, T days of the grids, L lookback
days. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hvac.arrays import Bools, DayNumbers, Floats, Strings
from hvac.compiled import compiled
from hvac.panel.grid import Panel
from hvac.panel.rhythm import expected_share
from hvac.panel.unit_fits import UnitFits
from hvac.panel.windows import (
    INSUFFICIENT,
    LEARNING,
    OK,
    Scale,
    WindowConfig,
    fit_scale,
)


class Cut(NamedTuple):
    """Windows cut from grids, filled and normalised, unit after unit.

    `status_B` tells why a window has no score (`learning`, `insufficient_data`), else `ok`.
    `share_B` is the share of the readings that each point's rhythm promises (one a day, or one a
    month) which are there.
    """

    end_day_B: DayNumbers
    x_BCL: Floats
    observed_BCL: Bools
    status_B: Strings
    share_B: Floats


def cut(
    panel: Panel,
    end_day_B: DayNumbers,
    config: WindowConfig,
    scale: Scale | None = None,
) -> Cut:
    """Cut the windows of one unit that end on given days.

    `scale` is given by a caller that has fitted it already.

    >>> from hvac.panel.grid import Unit
    >>> value = np.arange(100.0)[:, None]
    >>> grids = dict(value_TC=value, observed_TC=value >= 0, known_TC=np.zeros((100, 1), np.int32))
    >>> grids |= dict(lower_TC=value * np.nan, upper_TC=value * np.nan)
    >>> panel = Panel(unit=Unit("f", "e"), points=("p",), first_day=0, **grids)
    >>> windows = cut(panel, np.array([50, 99], np.int32), WindowConfig())
    >>> windows.status_B.tolist(), float(windows.x_BCL[1, 0, -1])
    (['learning', 'ok'], 1.2247191011235956)
    """
    scale = scale or fit_scale(panel, config.normalise)
    with np.errstate(invalid="ignore"):
        normal_TC = (panel.value_TC - scale.centre_TC) / scale.spread_TC
    return cut_units(
        np.ascontiguousarray(normal_TC.T)[None],
        np.ascontiguousarray(panel.known_TC.T)[None],
        np.array([panel.first_day], dtype=np.int32),
        np.asarray(end_day_B, dtype=np.int32)[None],
        UnitFits.of([panel], [scale], config.normalise),
        config,
    )


def cut_units(
    normal_UCT: Floats,
    known_UCT: DayNumbers,
    first_day_U: DayNumbers,
    end_UD: DayNumbers,
    fits: UnitFits,
    config: WindowConfig,
) -> Cut:
    """Cut the windows of units that end on given days, as many for each.

    Only readings known by the end day enter. A missing day takes the last observed value before it
    inside the window; a leading gap takes the first observed one; a point with no reading in the
    window (or no baseline yet) is 0.

    Args:
        normal_UCT: normalised values, nan where a day was not read.
        known_UCT: the days on which they became known.
        first_day_U: of the grids.
        end_UD: last days of the windows.
        fits: of the units.
        config: lookback, and the least share of readings.
    """
    units, ends = end_UD.shape
    shape = (units, ends, normal_UCT.shape[1], config.lookback)
    x_UDCL = np.zeros(shape)
    observed_UDCL = np.zeros(shape, dtype=np.bool_)
    _fill(
        normal_UCT, known_UCT, fits.ready_UC, end_UD, first_day_U, x_UDCL, observed_UDCL
    )
    share_UD = observed_UDCL.mean(axis=(2, 3))
    sparse_U = np.asarray(fits.sparse_UC.any(axis=1))
    if sparse_U.any():
        rhythm_U1C = fits.gap_UC[:, None], fits.gap_known_UC[:, None]
        expected_UD = expected_share(observed_UDCL.mean(axis=3), end_UD, *rhythm_U1C)
        share_UD = np.where(sparse_U[:, None], expected_UD, share_UD)
    too_few_UD = np.asarray(share_UD < config.min_observed)
    learning_UD = np.asarray(_ready_share(fits, end_UD) < 0.5)
    status_UD = np.select([learning_UD, too_few_UD], [LEARNING, INSUFFICIENT], OK)
    windows = units * ends
    return Cut(
        end_UD.reshape(windows),
        x_UDCL.reshape(windows, *shape[2:]),
        observed_UDCL.reshape(windows, *shape[2:]),
        status_UD.reshape(windows),
        share_UD.reshape(windows),
    )


def _ready_share(fits: UnitFits, end_UD: DayNumbers) -> Floats:
    """Return the share of the points shown so far that have their baseline [U, D].

    It is 0 before the first reading.
    """
    shown_UDC = fits.seen_UC[:, None] <= end_UD[:, :, None]
    ready_UDC = shown_UDC & (fits.ready_UC[:, None] <= end_UD[:, :, None])
    shown_UD = np.maximum(shown_UDC.sum(axis=2), 1)
    return np.asarray(ready_UDC.sum(axis=2) / shown_UD)


@compiled
def _fill(
    normal_UCT: Floats,
    known_UCT: DayNumbers,
    ready_UC: DayNumbers,
    end_UD: DayNumbers,
    first_day_U: DayNumbers,
    x_UDCL: Floats,
    observed_UDCL: Bools,
) -> None:
    units, points, days = normal_UCT.shape
    lookback = x_UDCL.shape[3]
    for u in range(units):
        for d in range(end_UD.shape[1]):
            end = end_UD[u, d]
            start = end - lookback + 1 - first_day_U[u]
            for c in range(points):
                if ready_UC[u, c] > end:
                    continue
                last, seen = 0.0, False
                for i in range(lookback):
                    t = start + i
                    inside = 0 <= t < days
                    if (
                        inside
                        and np.isfinite(normal_UCT[u, c, t])
                        and known_UCT[u, c, t] <= end
                    ):
                        last = normal_UCT[u, c, t]
                        observed_UDCL[u, d, c, i] = True
                        if not seen:
                            seen = True
                            for j in range(i):
                                x_UDCL[u, d, c, j] = last
                    x_UDCL[u, d, c, i] = last
