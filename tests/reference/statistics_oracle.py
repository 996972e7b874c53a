"""The 28 statistics the slow, obvious way: numpy and scipy, one series at a time.

Shapes: L days of one series, W rolling windows of D days each.

What a shift does not change (spread, trend, shape) is computed after a shift of the series towards zero, because numpy
and scipy lose digits where a small movement sits on a large offset.
"""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.float64]
TINY = 1e-10


def statistics_oracle(x_L: npt.ArrayLike) -> dict[str, float]:
    """All 28 by name, in the order of design §7."""
    x_L = np.asarray(x_L, dtype=np.float64)
    x_L = np.where(np.isfinite(x_L), x_L, 0.0)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        features = level(x_L) | shape(x_L) | trend(x_L) | variability(x_L)
    return {
        name: float(value) if np.isfinite(value) else 0.0
        for name, value in features.items()
    }


def level(x_L: FloatArray) -> dict[str, Any]:
    shift = np.median(x_L)
    return {
        "mean": shift + np.mean(x_L - shift),
        "std": np.std(x_L - shift),
        "min": np.min(x_L),
        "max": np.max(x_L),
        "median": np.median(x_L),
        "range": np.max(x_L) - np.min(x_L),
        "q25": np.quantile(x_L, 0.25),
        "q75": np.quantile(x_L, 0.75),
        "iqr": stats.iqr(x_L - shift),
    }


def shape(x_L: FloatArray) -> dict[str, Any]:
    d_L = x_L - np.median(x_L)
    mean, std = np.median(x_L) + np.mean(d_L), np.std(d_L)
    return {
        "skewness": stats.skew(d_L / std) if std > TINY else 0.0,
        "kurtosis": stats.kurtosis(d_L / std) if std > TINY else 0.0,
        "cv": std / abs(mean) if abs(mean) > TINY else 0.0,
    }


def trend(x_L: FloatArray) -> dict[str, Any]:
    shift = np.median(x_L)
    line = stats.linregress(np.arange(len(x_L)), x_L - shift)
    recent, past = np.mean(x_L[-30:] - shift), np.mean(x_L[-60:-30] - shift)
    comparable = abs(shift + past) > TINY
    return {
        "trend_slope": line.slope,
        "trend_intercept": line.intercept + shift,
        "recent_vs_past_ratio": (shift + recent) / (shift + past)
        if comparable
        else 1.0,
        "recent_vs_past_diff": recent - past if comparable else 0.0,
        "recent_change_rate": (x_L[-1] - x_L[-10]) / 10,
    }


def variability(x_L: FloatArray) -> dict[str, Any]:
    step_L = np.diff(x_L)
    drawdown_L = np.maximum.accumulate(x_L) - x_L
    return {
        "diff_mean": np.mean(step_L),
        "diff_std": np.std(step_L),
        "diff_abs_mean": np.mean(np.abs(step_L)),
        **rolling_std(x_L, 7),
        **rolling_std(x_L, 14),
        **rolling_std(x_L, 30),
        "max_drawdown": np.max(drawdown_L),
        "mean_drawdown": np.mean(drawdown_L),
    }


def rolling_std(x_L: FloatArray, days: int) -> dict[str, Any]:
    window_WD = np.lib.stride_tricks.sliding_window_view(x_L, days)
    std_W = np.std(window_WD - window_WD[:, :1], axis=1)
    return {
        f"rolling_std_{days}d_mean": np.mean(std_W),
        f"rolling_std_{days}d_max": np.max(std_W),
    }
