"""When each point last left its usual range, and how often.

A replacement, a cleaning, a work order or an error count is a reading that rests at one value and
moves on single days. Its mean says little; how long ago it last moved (the age of the part that was
replaced) says much.

Shapes: B windows, C points, L lookback days, A activity features (4).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from hvac.arrays import Float32s
from hvac.compiled import compiled

ACTIVITY_NAMES: Final = (
    "days_since_out",
    "days_out_30d",
    "days_out",
    "days_between_out",
)
# interquartile ranges from the median: roughly outside Tukey's outer fence
FAR: Final = 3.0
TINY: Final = 1e-6  # of the largest value: what resting values may differ by
RECENT_DAYS: Final = 30


def activity(x_BCL: npt.ArrayLike) -> Float32s:
    """Return the activity of each series: `ACTIVITY_NAMES`, in that order.

    A day is out of the usual range where its value lies more than three interquartile ranges from
    the median of the window; of a series that rests at one value, every other value does. The
    features are days since the newest day out, how many days were out among the last 30 and in the
    window, and the days between the newest two.

    Args:
        x_BCL: values of windows, in any unit; they are looked at as float32.

    Returns:
        float32 [B, C, 4]; nan where no day (or only one) was out. A series depends on no other one.

    >>> replaced = np.zeros((1, 1, 90))
    >>> replaced[0, 0, [20, 79]] = 1
    >>> activity(replaced)[0, 0].tolist()
    [10.0, 1.0, 2.0, 59.0]
    """
    x_BCL = np.ascontiguousarray(x_BCL, dtype=np.float32)
    windows, points, days = x_BCL.shape
    series = windows * points
    features = len(ACTIVITY_NAMES)
    out_NA = np.full((series, features), np.nan, dtype=np.float32)
    x_NL = x_BCL.reshape(series, days)
    _activity(x_NL, np.sort(x_NL, axis=1), out_NA)
    return out_NA.reshape(windows, points, features)


@compiled
def _activity(x_NL: Float32s, sorted_NL: Float32s, out_NA: Float32s) -> None:
    days = x_NL.shape[1]
    place_Q = np.array([0.25, 0.5, 0.75]) * (days - 1)
    for n in range(len(x_NL)):
        x_L = x_NL[n].astype(np.float64)
        low, middle, high = np.interp(
            place_Q, np.arange(days), sorted_NL[n].astype(np.float64)
        )
        margin = max(FAR * (high - low), TINY * np.abs(x_L).max())
        newest, before, recent, count = -1, -1, 0, 0
        for t in range(days):
            if abs(x_L[t] - middle) > margin:
                before, newest, count = newest, t, count + 1
                recent += t >= days - RECENT_DAYS
        out_NA[n, 1], out_NA[n, 2] = recent, count
        if newest >= 0:
            out_NA[n, 0] = days - 1 - newest
        if before >= 0:
            out_NA[n, 3] = newest - before
