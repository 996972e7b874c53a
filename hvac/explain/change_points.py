"""Since when a series lies elsewhere: the day on which its level changed.

Legend: L lookback days, N series.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hvac.arrays import AnyFloats, Ints

LEAST_DAYS: Final = 5  # on each side of a change
LEAST_GAIN: Final = 0.35  # share of the variance that two levels must explain
UNCHANGED: Final = -1


def level_change(x_NL: AnyFloats) -> Ints:
    """Return the first day of the new level of each series, −1 where there is no clear change.

    The day splits a series into two levels with the least squared error. It counts where the two
    levels explain at least 35 % of the variance; a series of noise does so in under 1 % of cases.

    >>> series = np.r_[np.zeros(60), np.ones(30)] + np.tile([0.1, -0.1], 45)
    >>> level_change(np.stack([series, np.tile([0.1, -0.1], 45)])).tolist()
    [60, -1]
    """
    days = x_NL.shape[1]
    if days < 2 * LEAST_DAYS:
        return np.full(len(x_NL), UNCHANGED, dtype=np.int64)
    centred_NL = x_NL - x_NL.mean(axis=1, keepdims=True)
    total_N = (centred_NL**2).sum(axis=1)
    before_L = np.arange(LEAST_DAYS, days - LEAST_DAYS + 1)
    sum_NL = np.cumsum(centred_NL, axis=1)[:, before_L - 1]
    gain_NL = sum_NL**2 * days / (before_L * (days - before_L))
    best_N = gain_NL.argmax(axis=1)
    gain_N = gain_NL[np.arange(len(x_NL)), best_N]
    clear_N = (gain_N >= LEAST_GAIN * total_N) & (total_N > 1e-9 * days)
    return np.where(clear_N, before_L[best_N], UNCHANGED)
