"""The newest window of every unit, with what turns it back into physical units.

Legend: B windows (one per unit), C points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hvac.arrays import Bools, Floats
from hvac.features.describe import Recipe, Scene, describe
from hvac.features.table import Windows, concat
from hvac.panel.quality import Doubt, doubts
from hvac.panel.windows import LEARNING, OK, Scale, fit_scale, learning_days_left


class Frame(NamedTuple):
    """What turns a window's last day back into physical units, and the limits that hold then."""

    points: tuple[str, ...]
    centre_C: Floats
    spread_C: Floats
    lower_C: Floats
    upper_C: Floats


@dataclass(frozen=True, kw_only=True)
class Newest:
    """The newest window of each unit (or point), with its frame.

    `scenes` are the units that they were cut from. `learning_left`: days of learning left, None
    where it does not learn. `doubts`: what is odd about its readings.
    """

    windows: Windows
    frames: tuple[Frame, ...]
    scenes: tuple[Scene, ...] = ()
    learning_left: tuple[int | None, ...]
    doubts: tuple[tuple[Doubt, ...], ...]

    @property
    def ok_B(self) -> Bools:
        """Tell which windows can be scored."""
        return np.asarray(self.windows.column("status") == OK)


def newest(scenes: Sequence[Scene], recipe: Recipe, *, end_day: int | None = None) -> Newest:
    """Cut the windows that end on each unit's last day, or on a given one (at most the last)."""
    parts, frames, odd, left = [], [], [], []
    for scene in scenes:
        last_day = scene.panel.last_day
        day = last_day if end_day is None else min(end_day, last_day)
        scale = fit_scale(scene.panel, recipe.windows.normalise)
        parts.append(describe(scene, np.array([day], dtype=np.int32), recipe, scale))
        frames.append(_frame(scene, scale, day))
        odd.append(tuple(doubts(scene.panel, day, scale)))
        learning = parts[-1].column("status")[0] == LEARNING
        left.append(learning_days_left(scene.panel, day) if learning else None)
    return Newest(
        windows=concat(parts),
        frames=tuple(frames),
        scenes=tuple(scenes),
        learning_left=tuple(left),
        doubts=tuple(odd),
    )


def _frame(scene: Scene, scale: Scale, end_day: int) -> Frame:
    row = end_day - scene.panel.first_day
    grids = (scale.centre_TC, scale.spread_TC, scene.lower_TC, scene.upper_TC)
    return Frame(scene.panel.points, *(np.array(grid[row]) for grid in grids))
