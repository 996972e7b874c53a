"""The newest window of every unit, with what turns it back into physical units.

Legend: B windows (one per unit), C points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hvac.arrays import Bools, Floats
from hvac.features.describing import describe_units
from hvac.features.recipe import Recipe
from hvac.features.scene import Scene, grids_of
from hvac.features.table import Windows
from hvac.features.unit_grids import UnitGrids
from hvac.panel.grid import Panel
from hvac.panel.quality import Doubt, doubts_of_units, named_doubts
from hvac.panel.windows import LEARNING, OK, learning_days_left
from hvac.state.unit_states import ring_days

PanelsOf = Callable[[Sequence[int]], Sequence[Panel]]


class Frame(NamedTuple):
    """What turns a window's last day back into physical units, and the limits that hold then."""

    points: tuple[str, ...]
    centre_C: Floats
    spread_C: Floats
    lower_C: Floats
    upper_C: Floats


@dataclass(frozen=True)
class Frames:
    """The frames of windows, one after another."""

    points_B: tuple[tuple[str, ...], ...]
    centre_BC: Floats
    spread_BC: Floats
    lower_BC: Floats
    upper_BC: Floats

    def __len__(self) -> int:
        return len(self.points_B)

    def __getitem__(self, b: int) -> Frame:
        arrays = self.centre_BC, self.spread_BC, self.lower_BC, self.upper_BC
        return Frame(self.points_B[b], *(array_BC[b] for array_BC in arrays))

    def __iter__(self) -> Iterator[Frame]:
        return (self[b] for b in range(len(self)))


@dataclass(frozen=True, kw_only=True)
class Newest:
    """The newest window of each unit (or point), with its frame.

    `scenes` are the units that they were cut from, where they are known. `learning_left`: days of
    learning left, None where it does not learn. `doubts`: what is odd about its readings.
    """

    windows: Windows
    frames: Frames
    scenes: tuple[Scene, ...] = ()
    learning_left: tuple[int | None, ...]
    doubts: tuple[tuple[Doubt, ...], ...]

    @property
    def ok_B(self) -> Bools:
        """Tell which windows can be scored."""
        return np.asarray(self.windows.column("status") == OK)


def newest(
    scenes: Sequence[Scene], recipe: Recipe, *, end_day: int | None = None
) -> Newest:
    """Cut the windows that end on each unit's last day, or on a given one (at most the last)."""
    last = [scene.panel.last_day for scene in scenes]
    if end_day is not None:
        last = [min(end_day, day) for day in last]
    grids = grids_of(scenes, recipe, last, ring_days(recipe.windows))
    return newest_of(
        grids, recipe, lambda rows: [scenes[u].panel for u in rows], scenes
    )


def newest_of(
    grids: UnitGrids, recipe: Recipe, panels_of: PanelsOf, scenes: Sequence[Scene] = ()
) -> Newest:
    """Cut the windows that end on the last day of units' grids.

    Args:
        grids: the units, with their newest days (`ring_days`).
        recipe: of their class.
        panels_of: gives the whole record of some of the units: only that tells how long those that
            learn still do.
        scenes: the units that the grids were made of, where they are at hand.
    """
    end_U = grids.last_day_U
    windows = describe_units(grids, end_U[:, None], recipe)
    row_U = np.full(len(grids), grids.value_UCT.shape[2] - 1)
    centre_UC, spread_UC = grids.levels_on(row_U)
    readings = grids.value_UCT, grids.known_UCT, grids.first_day_U
    code_UC = doubts_of_units(*readings, end_U, centre_UC, spread_UC)
    odd: list[tuple[Doubt, ...]] = [()] * len(grids)
    for u in np.flatnonzero(code_UC.any(axis=1)).tolist():
        odd[u] = tuple(named_doubts(code_UC[u], grids.points_U[u]))
    left: list[int | None] = [None] * len(grids)
    learning = np.flatnonzero(windows.column("status") == LEARNING).tolist()
    for u, panel in zip(learning, panels_of(learning) if learning else (), strict=True):
        left[u] = learning_days_left(panel, int(end_U[u]))
    return Newest(
        windows=windows,
        frames=Frames(grids.points_U, centre_UC, spread_UC, *grids.limits_on(row_U)),
        scenes=tuple(scenes),
        learning_left=tuple(left),
        doubts=tuple(odd),
    )
