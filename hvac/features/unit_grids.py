"""Units of one class laid together: what their windows are described from.

The daily grids of all units have one length: of a whole record, for many windows of one unit, or of
the newest days, for the newest windows of many units. What lies before them is held by what the
first days settled (`UnitFits`, `ResidualFit`) and by the events.

Legend: U units, C points, T days of the grids, N events. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np

from hvac.arrays import AnyFloats, Bools, DayNumbers, Floats, Ints
from hvac.days import NEVER
from hvac.features.peers import PeerLevel
from hvac.features.residuals import ResidualFit
from hvac.panel.events import Events
from hvac.panel.grid import Unit
from hvac.panel.joins import folded
from hvac.panel.unit_fits import UnitFits
from hvac.panel.windows import LEAST_SPREAD

OTHER_KIND = -1


class UnitEvents(NamedTuple):
    """Events of units, one unit after another, in the order in which they became known.

    Those of unit u are `first_U[u]` to `first_U[u + 1]`. `kind_N` is a place among the recipe's
    kinds, -1 for others; `target_N` tells which are predicted.
    """

    first_U: Ints
    kind_N: Ints
    start_N: DayNumbers
    known_N: DayNumbers
    target_N: Bools

    @classmethod
    def of(
        cls, events: Sequence[Events], kinds: Sequence[str], target_kinds: Sequence[str]
    ) -> Self:
        """Lay the events of units one after another.

        Args:
            events: of each unit.
            kinds: those that have columns of their own.
            target_kinds: those that are predicted.
        """
        place = {folded(kind): number for number, kind in enumerate(kinds)}
        targets = set(map(folded, target_kinds))
        kind_N, target_N = [], []
        parts = [unit.where(np.argsort(unit.known_N, kind="stable")) for unit in events]
        for unit in parts:
            names = [folded(kind) for kind in unit.kind_N.tolist()]
            kind_N += [place.get(name, OTHER_KIND) for name in names]
            target_N += [name in targets for name in names]
        counts = [len(unit.start_N) for unit in parts]
        return cls(
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            np.array(kind_N, dtype=np.int64),
            np.concatenate([unit.start_N for unit in parts]).astype(np.int32),
            np.concatenate([unit.known_N for unit in parts]).astype(np.int32),
            np.array(target_N, dtype=np.bool_),
        )

    def take(self, rows: Ints) -> UnitEvents:
        """Return the events of some units."""
        counts_U = np.diff(self.first_U)[rows]
        spans = [np.arange(self.first_U[u], self.first_U[u + 1]) for u in rows.tolist()]
        keep_N = np.concatenate(spans) if spans else np.empty(0, dtype=np.int64)
        first_U = np.concatenate([[0], np.cumsum(counts_U)]).astype(np.int64)
        columns: list[Any] = [column[keep_N] for column in self[1:]]
        return UnitEvents(first_U, *columns)


@dataclass(frozen=True, kw_only=True)
class UnitGrids:
    """Units of one class, the newest days of their points, and what is known of before.

    `points_U` are the names of each unit's points, `point_U` of the only one where points are
    scored alone. Values are nan where a day was not read; `known_UCT` is the day on which one
    became known; limits hold from the day they are known. `built_U` is the day of installation, or
    the first of the record. `peers` are the levels of the units' groups, None where there is none.
    """

    unit_U: tuple[Unit, ...]
    point_U: tuple[str | None, ...]
    points_U: tuple[tuple[str, ...], ...]
    class_U: tuple[str, ...]
    first_day_U: DayNumbers
    built_U: DayNumbers
    value_UCT: Floats
    known_UCT: DayNumbers
    lower_UCT: Floats
    upper_UCT: Floats
    fits: UnitFits
    residual_fit: ResidualFit
    events: UnitEvents
    peers: tuple[PeerLevel | None, ...]
    measured_by_limits: bool = False

    def __len__(self) -> int:
        return len(self.unit_U)

    @property
    def last_day_U(self) -> DayNumbers:
        """Return the last day of each grid."""
        last_U = self.first_day_U + self.value_UCT.shape[2] - 1
        return np.asarray(last_U, dtype=np.int32)

    def take(self, rows: Ints) -> Self:
        """Return some of the units."""
        places = rows.tolist()
        return replace(
            self,
            unit_U=tuple(self.unit_U[u] for u in places),
            point_U=tuple(self.point_U[u] for u in places),
            points_U=tuple(self.points_U[u] for u in places),
            class_U=tuple(self.class_U[u] for u in places),
            first_day_U=self.first_day_U[rows],
            built_U=self.built_U[rows],
            value_UCT=self.value_UCT[rows],
            known_UCT=self.known_UCT[rows],
            lower_UCT=self.lower_UCT[rows],
            upper_UCT=self.upper_UCT[rows],
            fits=self.fits.take(rows),
            residual_fit=self.residual_fit.take(rows),
            events=self.events.take(rows),
            peers=tuple(self.peers[u] for u in places),
        )

    def normalised(self) -> Floats:
        """Return the values in usual spreads from the usual level (or in limit ranges): [U, C, T]."""
        limits = (self.lower_UCT, self.upper_UCT) if self.measured_by_limits else None
        return normalised(self.value_UCT, self.fits, limits)

    def levels_on(self, row_U: Ints) -> tuple[Floats, Floats]:
        """Return centre and spread of every point on one row of each grid: [U, C]."""
        if not self.measured_by_limits:
            return self.fits.centre_UC, self.fits.spread_UC
        lower_UC, upper_UC = self.limits_on(row_U)
        width_UC = upper_UC - lower_UC
        return lower_UC, np.where(width_UC >= LEAST_SPREAD, width_UC, np.nan)

    def limits_on(self, row_U: Ints) -> tuple[Floats, Floats]:
        """Return the limits of every point on one row of each grid: [U, C]."""
        every_U = np.arange(len(self))
        return self.lower_UCT[every_U, :, row_U], self.upper_UCT[every_U, :, row_U]

    def deviations(self, normal_UCT: Floats) -> tuple[Floats, DayNumbers]:
        """Subtract the peers' median of the day from normalised values; nan on days without one.

        Returns also the day from which each point may be looked at.
        """
        apart_UCT = np.full(normal_UCT.shape, np.nan)
        ready_UC = np.full(normal_UCT.shape[:2], NEVER, dtype=np.int32)
        for level, rows_U in self._by_level():
            place = [level.points.index(point) for point in self.points_U[rows_U[0]]]
            median_UTC = _laid(level.median_TC[:, place], level.first_day, self, rows_U)
            apart_UCT[rows_U] = normal_UCT[rows_U] - np.swapaxes(median_UTC, 1, 2)
            ready_UC[rows_U] = np.maximum(
                level.ready_C[place], self.fits.ready_UC[rows_U]
            )
        return apart_UCT, ready_UC

    def _by_level(self) -> Iterator[tuple[PeerLevel, Ints]]:
        """Yield every level with the units that are compared with it by the same points."""
        groups: dict[tuple[int, tuple[str, ...]], list[int]] = defaultdict(list)
        for u, level in enumerate(self.peers):
            if level is not None:
                groups[id(level), self.points_U[u]].append(u)
        for rows in groups.values():
            level = self.peers[rows[0]]
            assert level is not None, "units without a level are in no group"
            yield level, np.array(rows)


def normalised(
    value_UCT: Floats, fits: UnitFits, limits: tuple[Floats, Floats] | None = None
) -> Floats:
    """Return values in usual spreads from the usual level, or where limits are given in their range.

    Args:
        value_UCT: as read, nan where a day was not.
        fits: of the units.
        limits: lower and upper ones, each [U, C, T].
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        if limits is None:
            centre_UC1, spread_UC1 = (
                fits.centre_UC[:, :, None],
                fits.spread_UC[:, :, None],
            )
            return np.asarray((value_UCT - centre_UC1) / spread_UC1)
        lower_UCT, upper_UCT = limits
        width_UCT = upper_UCT - lower_UCT
        return np.asarray(
            (value_UCT - lower_UCT)
            / np.where(width_UCT >= LEAST_SPREAD, width_UCT, np.nan)
        )


def _laid(
    median_TC: AnyFloats, first_day: int, grids: UnitGrids, rows_U: Ints
) -> Floats:
    """Lay a level on the days of units' grids, nan where it has none: [U, T, C]."""
    days_T = np.arange(grids.value_UCT.shape[2])
    row_UT = grids.first_day_U[rows_U, None] + days_T - first_day
    inside_UT = (row_UT >= 0) & (row_UT < len(median_TC))
    laid_UTC = median_TC[np.clip(row_UT, 0, len(median_TC) - 1)].astype(np.float64)
    return np.where(inside_UT[:, :, None], laid_UTC, np.nan)
