"""Activity of one series, slowly and obviously: the oracle of `hvac.features.activity`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def activity_of(x_L: Sequence[float]) -> list[float]:
    """Days since the newest day out of the usual range, days out in 30 and in all, days between the newest two."""
    low, _, high = statistics.quantiles(x_L, n=4, method="inclusive")
    middle = statistics.median(x_L)
    margin = max(3 * (high - low), 1e-6 * max(abs(x) for x in x_L))
    out = [day for day, x in enumerate(x_L) if abs(x - middle) > margin]
    since = len(x_L) - 1 - out[-1] if out else math.nan
    between = out[-1] - out[-2] if len(out) > 1 else math.nan
    return [since, sum(day >= len(x_L) - 30 for day in out), len(out), between]
