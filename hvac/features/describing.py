"""From a panel to what the models see: the one function behind featurize, score and serving.

Legend: U units, D end days of each, B = U·D windows, C points, T days of the grids, L lookback
days, N events, S summaries. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from hvac.arrays import Bools, DayNumbers, Float32s, Floats, Ints
from hvac.compiled import compiled
from hvac.features.context import context
from hvac.features.recent import recent_of_units
from hvac.features.recipe import Recipe
from hvac.features.residuals import known_together, residuals
from hvac.features.scene import Scene, grids_of
from hvac.features.statistics import statistics
from hvac.features.table import KEY_SCHEMA, Windows
from hvac.features.unit_grids import UnitGrids
from hvac.panel.cutting import Cut, cut, cut_units
from hvac.panel.daily_readings import ALWAYS_KNOWN
from hvac.panel.grid import Unit

RECENT_DAYS = 30
EVENT_DAYS = 90


def describe(scene: Scene, end_day_B: DayNumbers, recipe: Recipe) -> Windows:
    """Describe the windows of a unit that end on given days."""
    grids = grids_of([scene], recipe)
    return describe_units(grids, np.asarray(end_day_B, dtype=np.int32)[None], recipe)


def describe_units(grids: UnitGrids, end_UD: DayNumbers, recipe: Recipe) -> Windows:
    """Describe the windows of units that end on given days, unit after unit.

    They hold values, statistics, context and summaries of the last days; no embedding, no label.
    `status` says why one has no score (`learning`, `insufficient_data`).

    Args:
        grids: the units.
        end_UD: last days of the windows, as many for each unit.
        recipe: of their class.
    """
    normal_UCT = grids.normalised()
    first_day_U = grids.first_day_U
    windows = cut_units(
        normal_UCT, grids.known_UCT, first_day_U, end_UD, grids.fits, recipe.windows
    )
    blocks = _recent_blocks(grids, normal_UCT, end_UD)
    return Windows(
        keys=_keys(grids.unit_U, grids.point_U, windows, recipe),
        points=grids.points_U[0] if recipe.windows.by == "equipment" else None,
        observed_B=windows.share_B.astype(np.float32),
        persistence_B=_persistence(grids, end_UD).astype(np.float32),
        x_BCL=windows.x_BCL.astype(np.float32),
        f_BCF=statistics(windows.x_BCL).astype(np.float32),
        k_BK=context(grids, windows, recipe.context).astype(np.float32),
        n_BCS=blocks["n_BCS"],
        r_BCS=blocks["r_BCS"],
        d_BCS=blocks["d_BCS"],
        e_BCS=blocks["e_BCS"],
    )


def bare_windows(scene: Scene, end_day_B: DayNumbers, recipe: Recipe) -> Windows:
    """Return the windows of a unit that end on given days, with their status and no content."""
    windows = cut(scene.panel, end_day_B, recipe.windows, scene.scale)
    observed_B = windows.share_B.astype(np.float32)
    panel = scene.panel
    keys = _keys((panel.unit,), (panel.point_id,), windows, recipe)
    return Windows(keys=keys, observed_B=observed_B)


def _recent_blocks(
    grids: UnitGrids, normal_UCT: Floats, end_UD: DayNumbers
) -> dict[str, Float32s]:
    """Summarise the last days of each point.

    The values are normalised, as read, minus the peers', and minus what other points predict.
    """
    known_UCT = grids.known_UCT
    at_once_UC = np.full(normal_UCT.shape[:2], ALWAYS_KNOWN, dtype=np.int32)
    apart_UCT, peers_ready_UC = grids.deviations(normal_UCT)
    residual_UCT = residuals(normal_UCT, grids.residual_fit)
    together_UCT = known_together(normal_UCT, known_UCT)
    series = {
        "n_BCS": (normal_UCT, known_UCT, grids.fits.ready_UC),
        "r_BCS": (grids.value_UCT, known_UCT, at_once_UC),
        "d_BCS": (apart_UCT, known_UCT, peers_ready_UC),
        "e_BCS": (residual_UCT, together_UCT, grids.residual_fit.ready_UC),
    }
    blocks = {}
    for name, (value_UCT, known_of_UCT, ready_UC) in series.items():
        block_BCS = recent_of_units(
            value_UCT,
            known_of_UCT,
            end_UD,
            first_day_U=grids.first_day_U,
            from_day_UC=ready_UC,
        )
        blocks[name] = block_BCS.astype(np.float32)
    return blocks


def _keys(
    unit_U: Sequence[Unit], point_U: Sequence[str | None], windows: Cut, recipe: Recipe
) -> pa.Table:
    """Return the keys of windows that were cut unit after unit, as many of each."""
    count = len(windows.end_day_B)
    facility, equipment = zip(*unit_U, strict=True)
    row_B = np.repeat(np.arange(len(unit_U)), count // len(unit_U))
    columns = []
    for names in (facility, equipment, point_U):
        columns.append(pa.array(names, pa.string()).take(pa.array(row_B)))
    columns.append(pa.array([recipe.class_name] * count, pa.string()))
    end_date = pa.array(windows.end_day_B, pa.int32()).cast(pa.date32())
    split = pa.nulls(count, pa.string())
    status = windows.status_B.tolist()
    columns += [end_date, split, pa.array(status, pa.string())]
    return pa.table(columns, schema=KEY_SCHEMA)


def _persistence(grids: UnitGrids, end_UD: DayNumbers) -> Floats:
    """Return the share of the last 30 observed days out of limits [B].

    Without limits it is the number of target events in the last 90 days.
    """
    persistence_UD = np.zeros(end_UD.shape)
    events = grids.events
    readings = grids.value_UCT, grids.known_UCT, grids.lower_UCT, grids.upper_UCT
    known = events.first_U, events.known_N, events.target_N
    _persist(*readings, grids.first_day_U, *known, end_UD, persistence_UD)
    return persistence_UD.ravel()


@compiled
def _persist(  # noqa: PLR0913 - a compiled kernel takes arrays, no objects
    value_UCT: Floats,
    known_UCT: DayNumbers,
    lower_UCT: Floats,
    upper_UCT: Floats,
    first_day_U: DayNumbers,
    first_U: Ints,
    known_N: DayNumbers,
    target_N: Bools,
    end_UD: DayNumbers,
    persistence_UD: Floats,
) -> None:
    units, points, days = value_UCT.shape
    for u in range(units):
        for d in range(end_UD.shape[1]):
            end = end_UD[u, d]
            row = end - first_day_U[u]
            last = min(max(row, 0), days - 1)
            limited, seen, outside, events = False, 0, 0, 0
            for c in range(points):
                limited |= np.isfinite(lower_UCT[u, c, last]) or np.isfinite(
                    upper_UCT[u, c, last]
                )
                for t in range(max(row - RECENT_DAYS + 1, 0), min(row + 1, days)):
                    value = value_UCT[u, c, t]
                    if np.isfinite(value) and known_UCT[u, c, t] <= end:
                        seen += 1
                        outside += (
                            value < lower_UCT[u, c, t] or value > upper_UCT[u, c, t]
                        )
            for n in range(first_U[u], first_U[u + 1]):
                events += target_N[n] and end - EVENT_DAYS < known_N[n] <= end
            persistence_UD[u, d] = outside / max(seen, 1) if limited else events
