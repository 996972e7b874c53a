"""The 28 statistics of a window: level, shape, trend and variability, in one compiled pass.

Shapes: B batch, C points, L lookback days, F features (28), N = B·C series.

Every number is exact to about 1e-12 of the spread of the series, also where a small movement sits
on a large offset: sums of squares are taken about a value of the series (or of the rolling window)
itself, which bounds the cancellation by the number of days, and makes every deviation of a constant
series exactly zero.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from hvac.arrays import AnyArray, Floats
from hvac.compiled import compiled
from hvac.errors import InputError

FEATURE_NAMES: Final[tuple[str, ...]] = (
    *("mean", "std", "min", "max", "median", "range", "q25", "q75", "iqr"),
    *("skewness", "kurtosis", "cv"),
    *("trend_slope", "trend_intercept"),
    *("recent_vs_past_ratio", "recent_vs_past_diff", "recent_change_rate"),
    *("diff_mean", "diff_std", "diff_abs_mean"),
    *("rolling_std_7d_mean", "rolling_std_7d_max"),
    *("rolling_std_14d_mean", "rolling_std_14d_max"),
    *("rolling_std_30d_mean", "rolling_std_30d_max"),
    *("max_drawdown", "mean_drawdown"),
)
TINY: Final = 1e-10  # at or below it a standard deviation or a mean counts as zero
RECENT_DAYS: Final = 30  # "recent" is the last 30 days, "past" the 30 before
CHANGE_DAYS: Final = 10  # the predecessor divides by 10 what lies 9 days apart
ROLLING_DAYS: Final = (7, 14, 30)
MIN_DAYS: Final = 2 * RECENT_DAYS


def statistics(x_BCL: npt.ArrayLike) -> Floats:
    """Compute the 28 statistics of each series (``FEATURE_NAMES``, in that order).

    Level and variability are in the unit of ``x_BCL`` (slopes and change rates: per day), the shape
    features and ``recent_vs_past_ratio`` have none. Standard deviations are the population's,
    quantiles interpolate linearly, skewness and excess kurtosis are biased (``scipy.stats.skew``,
    ``kurtosis``), the trend is least squares on day 0…L−1. A standard deviation of at most 1e-10
    gives skewness and kurtosis 0; a |mean| of at most 1e-10 gives cv 0, a past mean of that size
    ratio 1 and diff 0. Definitions: design §7.

    Args:
        x_BCL: real numbers ``[B, C, L]`` (further leading axes are kept), any memory order, L ≥ 60
            days. Windows come filled; a NaN or ±inf that is left counts as 0.0.

    Returns:
        float64 ``[B, C, 28]``, always finite: what overflows (values near 1e308) becomes 0. The
        features of a series do not depend, to the last bit, on the other series of the batch. The
        input is not changed.

    Raises:
        InputError: fewer than three axes, fewer than 60 days, or values that are not real numbers.

    >>> import numpy as np
    >>> f_BCF = statistics(20.0 + 0.5 * np.arange(90).reshape(1, 1, 90))
    >>> f_BCF.shape
    (1, 1, 28)
    >>> f = dict(zip(FEATURE_NAMES, f_BCF[0, 0].tolist(), strict=True))
    >>> f["trend_slope"], f["trend_intercept"], f["median"]
    (0.5, 20.0, 42.25)
    >>> f["recent_vs_past_diff"], f["max_drawdown"]
    (15.0, 0.0)
    """
    x_BCL = np.asarray(x_BCL)
    _check(x_BCL)
    days = x_BCL.shape[-1]
    x_NL = np.ascontiguousarray(x_BCL, dtype=np.float64).reshape(-1, days).view()
    # one compiled signature, and a kernel that cannot change inputs
    x_NL.flags.writeable = False
    f_NF = np.empty((x_NL.shape[0], len(FEATURE_NAMES)))
    _fill(x_NL, f_NF)
    return f_NF.reshape(*x_BCL.shape[:-1], len(FEATURE_NAMES))


def _check(x_BCL: AnyArray) -> None:
    if x_BCL.dtype.kind not in "biuf":
        raise InputError(
            f"statistics expects windows of real numbers, found an array of {x_BCL.dtype}"
        )
    if x_BCL.ndim < 3:
        raise InputError(
            "statistics expects windows [batch, points, days], found an array of shape"
            f" {x_BCL.shape}"
        )
    if x_BCL.shape[-1] < MIN_DAYS:
        raise InputError(
            f"statistics expects at least {MIN_DAYS} days in a window (the last {RECENT_DAYS} are"
            f" compared with the {RECENT_DAYS} before), found {x_BCL.shape[-1]} in an array of"
            f" shape {x_BCL.shape}"
        )


@compiled
def _fill(x_NL: Floats, f_NF: Floats) -> None:
    count, days = x_NL.shape
    x_L, scratch_3L = np.empty(days), np.empty((3, days))
    sorted_L = scratch_3L[0]
    for n in range(count):
        f_F = f_NF[n]
        _copy_finite(x_NL[n], x_L)
        _sort_into(x_L, sorted_L)
        middle = sorted_L[days // 2]
        _level(sorted_L, f_F[2:9])
        _moments_and_trend(x_L, middle, f_F)
        _changes(x_L, f_F[16:20])
        _rolling(x_L, scratch_3L, f_F[20:26])
        _drawdown(x_L, f_F[26:28])
        for k in range(f_F.size):
            if not np.isfinite(f_F[k]):
                f_F[k] = 0.0


@compiled
def _copy_finite(source_L: Floats, x_L: Floats) -> None:
    for i in range(x_L.size):
        x_L[i] = source_L[i] if np.isfinite(source_L[i]) else 0.0


@compiled
def _sort_into(x_L: Floats, sorted_L: Floats) -> None:
    """Sort by insertion: the quickest for a window of 90."""
    for i in range(x_L.size):
        value = x_L[i]
        j = i
        while j > 0 and sorted_L[j - 1] > value:
            sorted_L[j] = sorted_L[j - 1]
            j -= 1
        sorted_L[j] = value


@compiled
def _level(sorted_L: Floats, f: Floats) -> None:
    """Write min, max, median, range, q25, q75, iqr."""
    last = sorted_L.size - 1
    low, low_step = _quantile(sorted_L, 0.25)
    mid, mid_step = _quantile(sorted_L, 0.5)
    high, high_step = _quantile(sorted_L, 0.75)
    f[0] = sorted_L[0]
    f[1] = sorted_L[last]
    f[2] = mid + mid_step
    f[3] = sorted_L[last] - sorted_L[0]
    f[4] = low + low_step
    f[5] = high + high_step
    f[6] = (high - low) + (
        high_step - low_step
    )  # q75 - q25 would lose digits on a large offset


@compiled
def _quantile(sorted_L: Floats, q: float) -> tuple[float, float]:
    """Return the value below the quantile, and the linear step from there to it."""
    position = q * (sorted_L.size - 1)
    below = int(position)  # q < 1, so there is always a value above
    return sorted_L[below], (position - below) * (sorted_L[below + 1] - sorted_L[below])


@compiled
def _moments_and_trend(x_L: Floats, middle: float, f_F: Floats) -> None:
    """Write mean, std (0, 1); skewness, kurtosis, cv, trend, recent_vs_past (9 to 15)."""
    days = x_L.size
    offset = _sum_about(x_L, middle, 0, days) / days  # the mean, seen from the middle
    mean = middle + offset
    half = 0.5 * (days - 1)
    square = cross = 0.0
    for i in range(days):
        c = (x_L[i] - middle) - offset
        square += c * c
        cross += (i - half) * c
    std = np.sqrt(square / days)
    slope = 12.0 * cross / (days * (days * days - 1.0))
    f_F[0], f_F[1] = mean, std
    f_F[9], f_F[10] = _shape(x_L, middle, offset, std)
    f_F[11] = std / abs(mean) if abs(mean) > TINY else 0.0
    f_F[12], f_F[13] = slope, mean - slope * half
    f_F[14], f_F[15] = _recent_vs_past(x_L, middle)


@compiled
def _sum_about(x_L: Floats, middle: float, start: int, stop: int) -> float:
    total = 0.0
    for i in range(start, stop):
        total += x_L[i] - middle
    return total


@compiled
def _shape(
    x_L: Floats, middle: float, offset: float, std: float
) -> tuple[float, float]:
    """Return biased skewness and excess kurtosis; standardised values do not overflow."""
    if std <= TINY:
        return 0.0, 0.0
    cube = fourth = 0.0
    for i in range(x_L.size):
        z = ((x_L[i] - middle) - offset) / std
        cube += z * z * z
        fourth += (z * z) * (z * z)
    return cube / x_L.size, fourth / x_L.size - 3.0


@compiled
def _recent_vs_past(x_L: Floats, middle: float) -> tuple[float, float]:
    days = x_L.size
    recent = _sum_about(x_L, middle, days - RECENT_DAYS, days) / RECENT_DAYS
    past = (
        _sum_about(x_L, middle, days - 2 * RECENT_DAYS, days - RECENT_DAYS)
        / RECENT_DAYS
    )
    if abs(middle + past) <= TINY:
        return 1.0, 0.0
    return (middle + recent) / (middle + past), recent - past


@compiled
def _changes(x_L: Floats, f: Floats) -> None:
    """Write recent_change_rate, diff_mean, diff_std, diff_abs_mean."""
    steps = x_L.size - 1
    mean = (x_L[steps] - x_L[0]) / steps
    total = square = absolute = 0.0
    for i in range(steps):
        step = x_L[i + 1] - x_L[i]
        c = step - mean
        total += c
        square += c * c
        absolute += abs(step)
    f[0] = (x_L[steps] - x_L[steps + 1 - CHANGE_DAYS]) / CHANGE_DAYS
    f[1] = mean
    f[2] = np.sqrt(max(square - total * total / steps, 0.0) / steps)
    f[3] = absolute / steps


@compiled
def _rolling(x_L: Floats, scratch_3L: Floats, f: Floats) -> None:
    """Write mean and maximum standard deviation of all full windows of 7, 14 and 30 days.

    Windows grow day by day from their first day, all at once: the inner loop runs over independent
    windows, so it is vectorised without reordering a sum.
    """
    sum_L, square_L, std_L = scratch_3L[0], scratch_3L[1], scratch_3L[2]
    sum_L[:] = 0.0
    square_L[:] = 0.0
    length = 1
    for k in range(len(ROLLING_DAYS)):
        while length < ROLLING_DAYS[k]:
            later_L = x_L[length:]
            for i in range(later_L.size):
                d = later_L[i] - x_L[i]
                sum_L[i] += d
                square_L[i] += d * d
            length += 1
        windows, share = x_L.size - length + 1, 1.0 / length
        for i in range(windows):
            std_L[i] = np.sqrt((square_L[i] - sum_L[i] * sum_L[i] * share) * share)
        f[2 * k], f[2 * k + 1] = _mean_and_max(std_L[:windows])


@compiled
def _mean_and_max(std_W: Floats) -> tuple[float, float]:
    total = highest = 0.0
    for i in range(std_W.size):
        total += std_W[i]
        highest = std_W[i] if std_W[i] > highest else highest
    if not np.isfinite(
        total
    ):  # one window has overflowed: neither figure can be believed
        return 0.0, 0.0
    return total / std_W.size, highest


@compiled
def _drawdown(x_L: Floats, f: Floats) -> None:
    """Write maximum and mean of (running maximum − x)."""
    peak = x_L[0]
    total = deepest = 0.0
    for i in range(x_L.size):
        peak = max(peak, x_L[i])
        total += peak - x_L[i]
        deepest = max(deepest, peak - x_L[i])
    f[0] = deepest
    f[1] = total / x_L.size
