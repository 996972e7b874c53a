"""What the newest window of a unit needs of its record: its newest days, and what the first settled.

Reading the whole record again for every day costs by its length; a state does not. It says what the
record says, to the bit: `of` makes it of a record, `hvac.state.updating` adds readings to it.

Legend: U units, C points, R newest days. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np

from hvac.arrays import AnyArray, DayNumbers, Floats, Ints
from hvac.features.peers import PeerLevel
from hvac.features.recipe import Recipe
from hvac.features.residuals import ResidualFit
from hvac.features.scene import Scene, grids_of
from hvac.features.unit_grids import UnitEvents, UnitGrids
from hvac.panel.events import Events
from hvac.panel.grid import Unit
from hvac.panel.quality import HISTORY
from hvac.panel.unit_fits import UnitFits
from hvac.panel.windows import WindowConfig


def ring_days(config: WindowConfig) -> int:
    """Return how many days of readings a newest window, and the doubts about it, rest on.

    >>> ring_days(WindowConfig())
    180
    """
    return max(config.lookback, HISTORY)


class UnitFacts(NamedTuple):
    """What is known of a unit beside its readings, on the day of scoring."""

    events: Events
    install_day: int | None
    class_name: str
    peers: PeerLevel | None


@dataclass(frozen=True, kw_only=True)
class UnitStates:
    """The states of units of one class.

    `points_U` are the names of each unit's points, `point_U` of the only one where points are
    scored alone. Row R − 1 of the newest days is `last_day_U`; limits are the record's own.
    `count_UC` is on how many days a point was read, in the whole record.
    """

    unit_U: tuple[Unit, ...]
    point_U: tuple[str | None, ...]
    points_U: tuple[tuple[str, ...], ...]
    last_day_U: DayNumbers
    count_UC: Ints
    value_UCR: Floats
    known_UCR: DayNumbers
    lower_UCR: Floats
    upper_UCR: Floats
    fits: UnitFits
    residual_fit: ResidualFit

    def __len__(self) -> int:
        return len(self.unit_U)

    @classmethod
    def of(cls, scenes: Sequence[Scene], recipe: Recipe) -> Self:
        """Return the states of units whose whole record is at hand."""
        if not scenes:
            return cls.none(recipe)
        bare = [
            replace(scene, lower_TC=scene.panel.lower_TC, upper_TC=scene.panel.upper_TC)
            for scene in scenes
        ]
        grids = grids_of(bare, recipe, days=ring_days(recipe.windows))
        return cls(
            unit_U=grids.unit_U,
            point_U=grids.point_U,
            points_U=grids.points_U,
            last_day_U=grids.last_day_U,
            count_UC=np.stack(
                [scene.panel.observed_TC.sum(axis=0) for scene in scenes]
            ),
            value_UCR=grids.value_UCT,
            known_UCR=grids.known_UCT,
            lower_UCR=grids.lower_UCT,
            upper_UCR=grids.upper_UCT,
            fits=grids.fits,
            residual_fit=grids.residual_fit,
        )

    @classmethod
    def none(cls, recipe: Recipe) -> Self:
        """Return the states of no unit."""
        points, days = recipe.width, ring_days(recipe.windows)
        number_UC = np.empty((0, points))
        day_UC = np.empty((0, points), dtype=np.int32)
        value_UCR = np.empty((0, points, days))
        day_U = np.empty(0, dtype=np.int32)
        weight_UCC = np.empty((0, points, points))
        return cls(
            unit_U=(),
            point_U=(),
            points_U=(),
            last_day_U=day_U,
            count_UC=np.empty((0, points), dtype=np.int64),
            value_UCR=value_UCR,
            known_UCR=value_UCR.astype(np.int32),
            lower_UCR=value_UCR,
            upper_UCR=value_UCR,
            fits=UnitFits(
                day_U, day_UC, day_UC, number_UC, number_UC, number_UC, day_UC
            ),
            residual_fit=ResidualFit(number_UC, weight_UCC, number_UC, day_UC),
        )

    def grids(self, recipe: Recipe, facts: Sequence[UnitFacts]) -> UnitGrids:
        """Return the units as windows are described from them.

        Args:
            recipe: of their class.
            facts: of each unit.
        """
        start_U = self.fits.start_U
        installed = [unit.install_day for unit in facts]
        built_U = [
            start if day is None else min(day, start)
            for day, start in zip(installed, start_U.tolist(), strict=True)
        ]
        lower_UCR, upper_UCR = self._limits(recipe)
        events = [
            unit.events.of_point(point)
            for unit, point in zip(facts, self.point_U, strict=True)
        ]
        return UnitGrids(
            unit_U=self.unit_U,
            point_U=self.point_U,
            points_U=self.points_U,
            class_U=tuple(unit.class_name for unit in facts),
            first_day_U=(self.last_day_U - self.value_UCR.shape[2] + 1).astype(
                np.int32
            ),
            built_U=np.array(built_U, dtype=np.int32),
            value_UCT=self.value_UCR,
            known_UCT=self.known_UCR,
            lower_UCT=lower_UCR,
            upper_UCT=upper_UCR,
            fits=self.fits,
            residual_fit=self.residual_fit,
            events=UnitEvents.of(events, recipe.context.kinds, recipe.labels.kinds),
            peers=tuple(unit.peers for unit in facts),
            measured_by_limits=recipe.windows.normalise == "limits",
        )

    def _limits(self, recipe: Recipe) -> tuple[Floats, Floats]:
        """Return the record's limits, or the fitted ones on days without any."""
        if not recipe.limits:
            return self.lower_UCR, self.upper_UCR
        unknown = (np.nan, np.nan)
        pairs = [
            [recipe.limits.get(name, unknown) for name in points]
            for points in self.points_U
        ]
        low_UC1, high_UC1 = np.moveaxis(np.array(pairs), 2, 0)[..., None]
        days = self.value_UCR.shape[2]
        day_UR = self.last_day_U[:, None] - days + 1 + np.arange(days)
        bare_UCR = ~(np.isfinite(self.lower_UCR) | np.isfinite(self.upper_UCR))
        in_record_UR = day_UR >= self.fits.start_U[:, None]
        ready_UCR = self.fits.ready_UC[:, :, None] <= day_UR[:, None]
        usable_UCR = bare_UCR & ready_UCR & in_record_UR[:, None]
        centre_UC1, spread_UC1 = (
            self.fits.centre_UC[:, :, None],
            self.fits.spread_UC[:, :, None],
        )
        lower_UCR = np.where(
            usable_UCR, centre_UC1 + low_UC1 * spread_UC1, self.lower_UCR
        )
        upper_UCR = np.where(
            usable_UCR, centre_UC1 + high_UC1 * spread_UC1, self.upper_UCR
        )
        return lower_UCR, upper_UCR

    def take(self, rows: AnyArray) -> Self:
        """Return some of the units: by positions or by a mask."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        places = rows.tolist()
        return replace(
            self,
            unit_U=tuple(self.unit_U[u] for u in places),
            point_U=tuple(self.point_U[u] for u in places),
            points_U=tuple(self.points_U[u] for u in places),
            last_day_U=self.last_day_U[rows],
            count_UC=self.count_UC[rows],
            value_UCR=self.value_UCR[rows],
            known_UCR=self.known_UCR[rows],
            lower_UCR=self.lower_UCR[rows],
            upper_UCR=self.upper_UCR[rows],
            fits=self.fits.take(rows),
            residual_fit=self.residual_fit.take(rows),
        )


def joined(parts: Sequence[UnitStates]) -> UnitStates:
    """Lay the states of units of one class one after another, sorted by unit and point."""
    together = UnitStates(
        unit_U=tuple(unit for part in parts for unit in part.unit_U),
        point_U=tuple(point for part in parts for point in part.point_U),
        points_U=tuple(points for part in parts for points in part.points_U),
        last_day_U=np.concatenate([part.last_day_U for part in parts]),
        count_UC=np.concatenate([part.count_UC for part in parts]),
        value_UCR=np.concatenate([part.value_UCR for part in parts]),
        known_UCR=np.concatenate([part.known_UCR for part in parts]),
        lower_UCR=np.concatenate([part.lower_UCR for part in parts]),
        upper_UCR=np.concatenate([part.upper_UCR for part in parts]),
        fits=UnitFits(
            *map(np.concatenate, zip(*(part.fits for part in parts), strict=True))
        ),
        residual_fit=ResidualFit(
            *map(
                np.concatenate, zip(*(part.residual_fit for part in parts), strict=True)
            )
        ),
    )
    keys = [
        (unit, point or "")
        for unit, point in zip(together.unit_U, together.point_U, strict=True)
    ]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return (
        together if order == list(range(len(keys))) else together.take(np.array(order))
    )
