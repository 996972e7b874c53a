"""What a point usually shows, and what its peers show, on the days of a window: lines of a chart.

Legend: L days, C points.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from hvac.features.recipe import Recipe
from hvac.features.scene import Scene, grids_of

USUAL_SPREADS: Final = 2.0


class UsualLevel(NamedTuple):
    """A point's usual range and the median of its peers, day by day from `first_day`.

    In physical units; nan where they are not known.
    """

    first_day: int
    low_L: list[float]
    high_L: list[float]
    peers_L: list[float]


def usual_levels(scene: Scene, recipe: Recipe, end_day: int) -> dict[str, UsualLevel]:
    """Return the usual level of every point on the days of the window that ends on a day.

    The usual range is the usual level ± 2 usual spreads.
    """
    panel, scale = scene.panel, scene.scale
    first = max(end_day - recipe.windows.lookback + 1, panel.first_day)
    rows = slice(first - panel.first_day, end_day - panel.first_day + 1)
    grids = grids_of([scene], recipe, [end_day], end_day - first + 1)
    apart_UCL, _ = grids.deviations(grids.normalised())
    peers_LC = panel.value_TC[rows] - apart_UCL[0].T * scale.spread_TC[rows]
    centre_LC, reach_LC = scale.centre_TC[rows], USUAL_SPREADS * scale.spread_TC[rows]
    levels = {}
    for c, point in enumerate(panel.points):
        levels[point] = UsualLevel(
            first,
            np.asarray(centre_LC - reach_LC)[:, c].tolist(),
            np.asarray(centre_LC + reach_LC)[:, c].tolist(),
            peers_LC[:, c].tolist(),
        )
    return levels
