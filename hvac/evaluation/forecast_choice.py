"""Which forecast is shown for a class, and how good those that are shown turn out to be.

Errors are scaled: |error| over the mean day-to-day change of the window; their mean is the MASE.
Legend: N series, H horizons, U units, R replicates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypedDict

import numpy as np

from hvac.arrays import Floats, Strings
from hvac.evaluation.bootstrap import Interval, unit_weights

LAST_VALUE: Final = "last_value"
REPLICATES: Final = 1000
SEED: Final = 19

ForecastFigures = dict[str, dict[str, float | None]]


class ClassForecasts(NamedTuple):
    """Errors of one class's series by method [N, H], the unit of each, and what is shown.

    `inside_NH` is the share of each series's days that lay in the band of the method shown.
    """

    error_NH: Mapping[str, Floats]
    unit_N: Strings
    shown: str
    inside_NH: Floats


class HorizonForecasts(TypedDict):
    """Figures at one horizon: by method, of those shown, and their distance from the last value."""

    methods: ForecastFigures
    shown: dict[str, float | None]
    over_last_value: dict[str, float | None]
    series: int


def choose_method(error_NH: Mapping[str, Floats], unit_N: Strings) -> str:
    """Return the simplest method that the best one does not beat (95 %, over units).

    Methods are compared by the error averaged over horizons, of series where all are known. Where
    nothing can be compared it is the first.

    Args:
        error_NH: by method, simplest first; all nan where a method does not reach a horizon.
        unit_N: of every series.

    >>> easy = {"last_value": np.ones((6, 1)), "level": np.zeros((6, 1))}
    >>> choose_method(easy, np.array(list("abcdef")))
    'level'
    """
    mean_N = {method: error.mean(axis=1) for method, error in error_NH.items()}
    usable = [method for method in mean_N if np.isfinite(mean_N[method]).any()]
    known_N = np.ones(len(unit_N), dtype=bool)
    for method in usable:
        known_N &= np.isfinite(mean_N[method])
    if not usable or not known_N.any():
        return next(iter(error_NH))
    best = min(usable, key=lambda method: float(mean_N[method][known_N].mean()))
    for method in usable:
        if method == best:
            break
        behind = mean_difference(
            (mean_N[method] - mean_N[best])[known_N], unit_N[known_N]
        )
        if not behind.low > 0:
            return method
    return best


def mean_difference(value_N: Floats, unit_N: Strings) -> Interval:
    """Return the mean of what is known, with its 95 % interval over units."""
    known_N = np.isfinite(value_N)
    value_N, unit_N = value_N[known_N], unit_N[known_N]
    if not len(value_N):
        return Interval(np.nan, np.nan, np.nan, REPLICATES)
    weights = unit_weights(unit_N, replicates=REPLICATES, seed=SEED)
    sum_U = np.bincount(weights.unit_index_B, value_N)
    count_U = np.bincount(weights.unit_index_B)
    mean_R = (weights.w_RU @ sum_U) / (weights.w_RU @ count_U)
    low, high = np.percentile(mean_R, [2.5, 97.5])
    return Interval(float(value_N.mean()), float(low), float(high), 0)


def forecast_figures(
    classes: Mapping[str, ClassForecasts], horizons: Sequence[int]
) -> dict[str, HorizonForecasts]:
    """Return MASE by method and of the forecasts shown, at every horizon.

    Those shown have the coverage of their 90 % band, too, and their error minus the last value's.
    """
    figures: dict[str, HorizonForecasts] = {}
    every = list(classes.values())
    if not every:
        return figures
    unit_N = np.concatenate([one.unit_N for one in every])
    for h, horizon in enumerate(horizons):
        methods: ForecastFigures = {}
        for method in every[0].error_NH:
            error_N = np.concatenate([one.error_NH[method][:, h] for one in every])
            methods[method] = {"mase": _mean(error_N)}
        shown_N = np.concatenate([one.error_NH[one.shown][:, h] for one in every])
        last_N = np.concatenate([one.error_NH[LAST_VALUE][:, h] for one in every])
        inside_N = np.concatenate([one.inside_NH[:, h] for one in every])
        over = mean_difference(shown_N - last_N, unit_N)
        figures[str(horizon)] = {
            "methods": methods,
            "shown": {"mase": _mean(shown_N), "coverage": _mean(inside_N)},
            "over_last_value": {
                "value": over.value,
                "low": over.low,
                "high": over.high,
            },
            "series": len(unit_N),
        }
    return figures


def _mean(value_N: Floats) -> float | None:
    """Return the mean of what is known; None of nothing."""
    known_N = value_N[np.isfinite(value_N)]
    return float(known_N.mean()) if len(known_N) else None
