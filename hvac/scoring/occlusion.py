"""Which days of a point count: how the log-odds move where a week of it stands at its usual level.

The readings of 7 days are replaced by the point's usual level, and the window is described and
scored anew, all blocks with it. (Replacing them by what lies around them says next to nothing of
faults that last: their neighbours show the same.)

Legend: S spans of days, H horizons. Rows are days of the panel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from hvac.arrays import AnyFloats, Floats
from hvac.features.describing import describe
from hvac.features.recipe import Recipe
from hvac.features.scene import Scene
from hvac.features.table import Windows, concat
from hvac.panel.grid import Panel

SPAN_DAYS: Final = 7

Scorer = Callable[[Windows], AnyFloats]


def occlusion(
    scene: Scene, point: str, end_day: int, recipe: Recipe, score: Scorer
) -> tuple[list[int], Floats]:
    """Return how much each week of a point adds to the log-odds of a window.

    Args:
        scene: the unit.
        point: one of its points.
        end_day: last day of the window.
        recipe: of the bundle.
        score: gives log-odds [B, H] of windows.

    Returns:
        The first day of every span, and log-odds with it minus without it: [S, H].
    """
    start = max(end_day - recipe.windows.lookback + 1, scene.panel.first_day)
    first_S = list(range(end_day - SPAN_DAYS + 1, start - 1, -SPAN_DAYS))[::-1]
    place = scene.panel.points.index(point)
    panels = [scene.panel]
    for first in first_S:
        row = first - scene.panel.first_day
        panels.append(at_usual_level(scene.panel, place, row, scene.scale.centre_TC))
    day = np.array([end_day], dtype=np.int32)
    windows = [describe(replace(scene, panel=panel), day, recipe) for panel in panels]
    score_BH = np.asarray(score(concat(windows)), dtype=np.float64)
    return first_S, score_BH[0] - score_BH[1:]


def at_usual_level(panel: Panel, place: int, first: int, centre_TC: Floats) -> Panel:
    """Return a panel whose point at `place` stands at its usual level for 7 days from a row on.

    Days that were not read stay so.

    Args:
        panel: of the unit.
        place: of the point.
        first: row of the first day.
        centre_TC: the usual levels.
    """
    span = np.s_[first : first + SPAN_DAYS, place]
    value_TC = panel.value_TC.copy()
    value_TC[span] = np.where(np.isnan(value_TC[span]), np.nan, centre_TC[span])
    return replace(panel, value_TC=value_TC)
