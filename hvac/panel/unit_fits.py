"""What the first days of units settle for good: the usual level of each point, and its rhythm.

Legend: U units, C points. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from hvac.arrays import AnyArray, Bools, DayNumbers, Floats
from hvac.days import NEVER
from hvac.panel.grid import Panel

if TYPE_CHECKING:
    from hvac.panel.windows import Scale


class UnitFits(NamedTuple):
    """Units one after another; a reading after `settled` days changes none of it.

    `start_U` is the first day of the record, `seen_UC` the first day on which a point was read,
    `ready_UC` the first on which it may be looked at (`hvac.days.NEVER`: not yet), `gap_UC` the
    days between its readings and `gap_known_UC` the day on which these are known. Level and spread
    are nan where values are measured by their limits, which change.
    """

    start_U: DayNumbers
    seen_UC: DayNumbers
    ready_UC: DayNumbers
    centre_UC: Floats
    spread_UC: Floats
    gap_UC: Floats
    gap_known_UC: DayNumbers

    @classmethod
    def of(
        cls, panels: Sequence[Panel], scales: Sequence[Scale], normalise: str
    ) -> Self:
        """Lay what was fitted of each unit one after another."""
        measured_by_limits = normalise == "limits"
        level_UC = np.stack([scale.centre_TC[0] for scale in scales])
        spread_UC = np.stack([scale.spread_TC[0] for scale in scales])
        unknown_UC = np.full(level_UC.shape, np.nan)
        return cls(
            start_U=np.array([panel.first_day for panel in panels], dtype=np.int32),
            seen_UC=np.stack([first_seen(panel) for panel in panels]),
            ready_UC=np.stack([scale.ready_C for scale in scales]),
            centre_UC=unknown_UC if measured_by_limits else level_UC,
            spread_UC=unknown_UC if measured_by_limits else spread_UC,
            gap_UC=np.stack([scale.rhythm.gap_C for scale in scales]),
            gap_known_UC=np.stack([scale.rhythm.known_C for scale in scales]),
        )

    def take(self, rows: AnyArray) -> Self:
        """Return what is known of some units."""
        parts: list[Any] = [part[rows] for part in self]
        return type(self)(*parts)

    @property
    def sparse_UC(self) -> Bools:
        """Tell which points are not read daily."""
        return self.gap_UC > 1


def first_seen(panel: Panel) -> DayNumbers:
    """Return the day of each point's first reading, NEVER where there is none."""
    first_row_C = panel.observed_TC.argmax(axis=0)
    seen_C = np.where(
        panel.observed_TC.any(axis=0), panel.first_day + first_row_C, NEVER
    )
    return seen_C.astype(np.int32)
