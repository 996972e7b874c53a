"""The levels of peers, moved on by the newest days of their units' states.

Legend: U units, C points, R newest days, T days of a level.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from hvac.features.peers import PeerLevel, PeerSeries, peer_level
from hvac.features.recipe import Recipe
from hvac.features.unit_grids import normalised
from hvac.state.unit_states import UnitStates


def moved_level(
    before: PeerLevel, states: Sequence[UnitStates], recipe: Recipe
) -> PeerLevel | None:
    """Return a level with the days made again that the states of its units hold all of.

    None where what is there does not reach those days, another day decides from when the level
    counts, or points are scored alone: it must be made of the whole record.

    Args:
        before: the level as it was made last.
        states: of the units of its group, in parts.
        recipe: of their class.
    """
    if recipe.windows.by == "point":
        return None
    by_limits = recipe.windows.normalise == "limits"
    series = [one for part in states for one in series_of(part, by_limits=by_limits)]
    level = peer_level(before.points, series)
    starts = [int(day) for part in states for day in _held_from(part)]
    if level is None or (level.ready_C != before.ready_C).any():
        return None
    since = max(starts, default=before.first_day)
    kept, new = since - before.first_day, since - level.first_day
    if not 0 <= kept <= len(before.median_TC) or new < 0:
        return None
    median_TC = np.concatenate([before.median_TC[:kept], level.median_TC[new:]])
    return before._replace(median_TC=median_TC)


def series_of(states: UnitStates, *, by_limits: bool = False) -> Iterator[PeerSeries]:
    """Yield the normalised newest days of every unit."""
    days = states.value_UCR.shape[2]
    first_U = states.last_day_U - days + 1
    day_UR = first_U[:, None] + np.arange(days)
    in_time_UCR = np.isfinite(states.value_UCR) & (states.known_UCR <= day_UR[:, None])
    limits = (states.lower_UCR, states.upper_UCR) if by_limits else None
    normal_UCR = normalised(states.value_UCR, states.fits, limits)
    peer_UCR = np.where(in_time_UCR, normal_UCR, np.nan).astype(np.float32)
    for first, peer_CR, ready_C in zip(
        first_U, peer_UCR, states.fits.ready_UC, strict=True
    ):
        yield PeerSeries(int(first), peer_CR.T, ready_C)


def _held_from(states: UnitStates) -> Iterator[int]:
    """Yield the first day of every state that does not hold the whole record of its unit."""
    first_U = states.last_day_U - states.value_UCR.shape[2] + 1
    yield from first_U[states.fits.start_U < first_U]
