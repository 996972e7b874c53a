"""Gaps along the last axis of an array, filled by what stood before them.

Legend: N series, T steps.
"""

from __future__ import annotations

import numpy as np

from hvac.arrays import AnyArray, Bools, Positions


def last_held(held_NT: Bools) -> Positions:
    """Return for each step the last one up to it that is held; −1 before the first.

    >>> last_held(np.array([False, True, False, True])).tolist()
    [-1, 1, 1, 3]
    """
    place_NT = np.where(held_NT, np.arange(held_NT.shape[-1]), -1)
    return np.asarray(np.maximum.accumulate(place_NT, axis=-1))


def fill_forward(value_NT: AnyArray, observed_NT: Bools) -> AnyArray:
    """Put the last observed value into every gap, and the first one into a gap at the start.

    A series of which nothing was observed repeats its first value.

    >>> value_T = np.array([np.nan, 1.0, np.nan, 3.0])
    >>> fill_forward(value_T, np.isfinite(value_T)).tolist()
    [1.0, 1.0, 1.0, 3.0]
    """
    last_NT = last_held(observed_NT)
    first_N1 = observed_NT.argmax(axis=-1)[..., None]
    place_NT = np.where(last_NT < 0, first_N1, last_NT)
    return np.take_along_axis(value_NT, place_NT, axis=-1)
